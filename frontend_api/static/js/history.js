/** What was answered before: thumbnails, older pages, opening and deleting. */

import { getBlob, getJson, remove } from './api.js';
import { byId, confirmed, icon, make, tell } from './dom.js';
import { headline, moment } from './format.js';

const PAGE = 20;
let cursor = null;
let loading = false;
let handlers = { opened: () => {}, deleted: () => {} };

/** `opened(prediction)` and `deleted(id)` are called as the person chooses. */
export function initHistory({ opened, deleted }) {
  handlers = { opened, deleted };
  byId('older').addEventListener('click', showOlder);
}

export function addToHistory(prediction) {
  byId('history-list').prepend(...unknown([prediction]).map(row));
  showEmptiness();
}

/** Look for results that this page was not told of. */
export async function showNewest() {
  try {
    const { items } = await getJson(`/v1/predictions?limit=${PAGE}`);
    byId('history-list').prepend(...unknown(items).map(row));
    showEmptiness();
  } catch {
    // What failed before it has been told; the same again helps nobody.
  }
}

function unknown(predictions) {
  const known = new Set([...byId('history-list').children].map((item) => item.dataset.id));
  return predictions.filter((prediction) => !known.has(prediction.id));
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
  if (loading) return; // A button that is disabled would lose the focus.
  loading = true;
  tell(byId('history-error'));
  const query = new URLSearchParams({ limit: PAGE });
  if (cursor) query.set('cursor', cursor);
  try {
    const page = await getJson(`/v1/predictions?${query}`);
    const rows = unknown(page.items).map(row);
    byId('history-list').append(...rows);
    cursor = page.next_cursor;
    if (!cursor && document.activeElement === byId('older')) rows[0]?.firstChild.focus();
    byId('older').hidden = !cursor;
    showEmptiness();
  } catch (error) {
    tell(byId('history-error'), error.message);
  } finally {
    loading = false;
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
  bin.addEventListener('click', () => erase(item));
  return item;
}

async function loadThumbnail(picture, prediction) {
  try {
    const address = URL.createObjectURL(await getBlob(prediction.links.image));
    picture.onload = () => URL.revokeObjectURL(address);
    picture.src = address;
  } catch {
    picture.title = 'The picture cannot be loaded.';
  }
}

async function erase(item) {
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
  (next?.firstChild ?? byId('file')).focus();
  item.remove();
  showEmptiness();
  handlers.deleted(item.dataset.id);
}

function showEmptiness() {
  byId('history-empty').hidden = byId('history-list').children.length > 0;
}
