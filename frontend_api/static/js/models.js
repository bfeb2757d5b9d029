/** The administrator's panel: which models there are, and which of them answers. */

import { getJson, post } from './api.js';
import { byId, confirmed, make, tell } from './dom.js';
import { architectureName, date } from './format.js';

let busy = false;

/** `changed()` is called after an attempt to change the champion: even one that failed may have. */
export function initModels(changed) {
  byId('rollback').addEventListener('click', () => change(changed, {
    title: 'Roll back?',
    text: 'The champion before this one answers all requests again.',
    action: 'Roll back',
    path: '/v1/models/rollback',
  }));
  byId('models-rows').addEventListener('click', (event) => {
    const { version } = event.target.dataset;
    if (!version) return;
    change(changed, {
      title: `Promote version ${version}?`,
      text: 'It becomes the champion and answers all requests.',
      action: 'Promote',
      path: `/v1/models/${version}/promote`,
    });
  });
}

export async function loadModels() {
  byId('models').hidden = false;
  tell(byId('models-error'));
  try {
    const { items } = await getJson('/v1/models');
    const table = byId('models').querySelector('.scroll');
    const inside = table.contains(document.activeElement);
    byId('models-rows').replaceChildren(...items.map(row));
    if (inside) table.focus(); // The button that had the focus is gone.
    byId('rollback').disabled = items.length < 2;
    if (!items.length) {
      byId('models-rows').append(make('tr', {},
        make('td', { colSpan: 6, className: 'soft' }, 'No model has been trained yet.')));
    }
  } catch (error) {
    tell(byId('models-error'), error.message);
  }
}

async function change(changed, { path, ...question }) {
  // Disabled buttons would lose the focus.
  if (busy || !await confirmed(question)) return;
  busy = true;
  byId('models').setAttribute('aria-busy', 'true');
  let failure = '';
  try {
    await post(path);
  } catch (error) {
    failure = error.message;
  }
  await loadModels();
  await changed();
  if (failure) tell(byId('models-error'), failure);
  byId('models').removeAttribute('aria-busy');
  busy = false;
}

function row(model) {
  const cells = [
    String(model.version),
    architectureName(model.architecture),
    model.synthetic ? `${model.dataset} (generated)` : model.dataset,
    auroc(model.metrics),
    date(model.created_at),
  ].map((text) => make('td', {}, text));
  return make('tr', {}, ...cells, make('td', {}, standing(model)));
}

function standing(model) {
  if (model.champion) return make('span', { className: 'champion' }, 'Champion');
  const button = make('button', { type: 'button', className: 'quiet' }, 'Promote');
  button.dataset.version = model.version;
  button.setAttribute('aria-label', `Promote version ${model.version}`);
  return button;
}

/** The tumour-or-not AUROC with its interval. */
function auroc(metrics) {
  const { auroc: value, auroc_low: low, auroc_high: high } = metrics;
  if (value === undefined) return '–';
  const shown = (number) => number.toFixed(3);
  const interval = low === undefined ? '' : ` (${shown(low)} to ${shown(high)})`;
  return `${shown(value)}${interval}`;
}
