/** The administrator's panel: which models there are, and which of them answers. */

import { getJson, post } from './api.js';
import { byId, confirmed, make, tell } from './dom.js';
import { architectureName, date } from './format.js';

/** `changed()` is called after the champion changed. */
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
    byId('models-rows').replaceChildren(...items.map(row));
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
  if (!await confirmed(question)) return;
  const buttons = byId('models').querySelectorAll('button');
  for (const button of buttons) button.disabled = true;
  try {
    await post(path);
    await loadModels();
    changed();
  } catch (error) {
    await loadModels();
    tell(byId('models-error'), error.message);
  }
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
