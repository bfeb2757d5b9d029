/** Small helpers for the document. */

export const byId = (id) => document.getElementById(id);

/** Make an element: properties are set on it, children are appended (strings as text). */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** An icon of icons.svg. */
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(document.createElementNS(space, 'use'));
  svg.firstChild.setAttribute('href', `/static/icons.svg#${name}`);
  return svg;
}

/** Show `text` in a message box, or hide the box when there is none. */
export function tell(box, text = '') {
  box.textContent = text;
  box.hidden = !text;
}

/** Ask before something that cannot be undone. Resolves to true or false. */
export function confirmed({ title, text, action }) {
  const dialog = byId('confirm');
  byId('confirm-title').textContent = title;
  byId('confirm-text').textContent = text;
  byId('confirm-yes').textContent = action;
  byId('confirm-yes').onclick = () => dialog.close('yes');
  byId('confirm-no').onclick = () => dialog.close('no');
  dialog.returnValue = 'no';
  dialog.showModal();
  byId('confirm-no').focus();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
