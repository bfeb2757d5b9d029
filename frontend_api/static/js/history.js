/** What was answered before: thumbnails, older pages, opening and deleting. */

import { getBlob, getJson, remove } from './api.js';
import { byId, confirmed, icon, make, tell } from './dom.js';
import { headline, moment } from './format.js';

const PAGE = 20;
let cursor = null;
let handlers = { opened: () => {}, deleted: () => {} };

/** `opened(prediction)` and `deleted(id)` are called as the person chooses. */
export function initHistory({ opened, deleted }) {
  handlers = { opened, deleted };
  byId('older').addEventListener('click', showOlder);
}

export function addToHistory(prediction) {
  byId('history-list').prepend(row(prediction));
  showEmptiness();
}

/** Mark the row of prediction `id` as the one that is shown; none for ''. */
export function markOpen(id) {
  for (const item of byId('history-list').children) {
    item.toggleAttribute('data-open', item.dataset.id === id);
    item.firstChild.setAttribute('aria-current', String(item.dataset.id === id));
  }
}

/** Load the next page: the newest results first, then older ones. */
export async function showOlder() {
  tell(byId('history-error'));
  const query = new URLSearchParams({ limit: PAGE });
  if (cursor) query.set('cursor', cursor);
  byId('older').disabled = true;
  try {
    const page = await getJson(`/v1/predictions?${query}`);
    const known = new Set([...byId('history-list').children].map((item) => item.dataset.id));
    byId('history-list').append(...page.items.filter((item) => !known.has(item.id)).map(row));
    cursor = page.next_cursor;
    byId('older').hidden = !cursor;
    showEmptiness();
  } catch (error) {
    tell(byId('history-error'), error.message);
  } finally {
    byId('older').disabled = false;
  }
}

function row(prediction) {
  const title = headline(prediction);
  const when = make('time', { className: 'history-when', dateTime: prediction.created_at },
    moment(prediction.created_at));
  const picture = make('img', { alt: '', width: 52, height: 52 });
  loadThumbnail(picture, prediction);
  const open = make('button', { type: 'button', className: 'history-open' }, picture,
    make('span', { className: 'history-text' },
      make('span', { className: 'history-label' }, title), when));
  open.addEventListener('click', () => handlers.opened(prediction));
  const bin = make('button', { type: 'button', className: 'history-delete', title: 'Delete' },
    icon('delete'));
  bin.setAttribute('aria-label', `Delete: ${title}, ${moment(prediction.created_at)}`);
  const item = make('li', {}, open, bin);
  item.dataset.id = prediction.id;
  bin.addEventListener('click', () => erase(item, picture));
  return item;
}

async function loadThumbnail(picture, prediction) {
  try {
    picture.src = URL.createObjectURL(await getBlob(prediction.links.image));
  } catch {
    picture.title = 'The picture cannot be loaded.';
  }
}

async function erase(item, picture) {
  const sure = await confirmed({
    title: 'Delete this result?',
    text: 'Its picture and its probabilities are erased. This cannot be undone.',
    action: 'Delete',
  });
  if (!sure) return;
  tell(byId('history-error'));
  try {
    await remove(`/v1/predictions/${encodeURIComponent(item.dataset.id)}`);
  } catch (error) {
    if (error.status !== 404) {
      tell(byId('history-error'), error.message);
      return;
    }
  }
  const next = item.nextElementSibling ?? item.previousElementSibling;
  (next?.firstChild ?? byId('choose')).focus();
  URL.revokeObjectURL(picture.src);
  item.remove();
  showEmptiness();
  handlers.deleted(item.dataset.id);
}

function showEmptiness() {
  byId('history-empty').hidden = byId('history-list').children.length > 0;
}
