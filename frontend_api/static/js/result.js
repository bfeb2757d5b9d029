/** One answer: decision, probabilities, thresholds, and what made it. */

import { byId, icon, make } from './dom.js';
import { architectureName, className, DECISIONS, hasBand, moment, percent } from './format.js';
import { clearHeatmap, showHeatmap } from './heatmap.js';

let previewAddress = '';

/** Show at once that `file` is being analysed, with the picture itself where the browser reads it. */
export function showWaiting(file) {
  arrange({ waiting: true });
  clearHeatmap();
  byId('waiting-name').textContent = file.name;
  byId('announce').textContent = 'Analysing the image.';
  const preview = byId('preview');
  previewAddress = URL.createObjectURL(file);
  preview.onload = () => { preview.hidden = false; };
  preview.src = previewAddress;
}

/** Show an answer; `spoken` announces it to a screen reader. */
export function showResult(prediction, { spoken = false } = {}) {
  arrange({ waiting: false });
  showDecision(prediction);
  showTumour(prediction);
  showBars(prediction);
  showAbout(prediction);
  if (spoken) {
    byId('announce').textContent = `${byId('decision').textContent}. `
      + `${byId('decision-text').textContent} `
      + `Probability of a tumour ${percent(prediction.tumour_probability)}.`;
  }
  showHeatmap(prediction);
}

export function hideResult() {
  dropPreview();
  clearHeatmap();
  byId('result').hidden = true;
  byId('drop').classList.remove('drop-compact');
  byId('announce').textContent = '';
}

function arrange({ waiting }) {
  dropPreview();
  byId('result').hidden = false;
  byId('result').setAttribute('aria-busy', String(waiting));
  byId('drop').classList.add('drop-compact');
  byId('answer').hidden = waiting;
  byId('waiting').hidden = !waiting;
  byId('controls').hidden = waiting;
  byId('scan').hidden = waiting;
  byId('heat').hidden = waiting;
  byId('heat-note').textContent = '';
}

function dropPreview() {
  const preview = byId('preview');
  preview.hidden = true;
  preview.onload = null;
  preview.removeAttribute('src');
  URL.revokeObjectURL(previewAddress);
}

function showDecision(prediction) {
  const decision = DECISIONS[prediction.decision];
  byId('answer').dataset.decision = prediction.decision;
  byId('decision-box').querySelector('.icon').replaceWith(icon(prediction.decision));
  byId('decision').textContent = decision.title;
  byId('decision-text').textContent = decision.text(prediction);
  byId('result-synthetic').hidden = !prediction.model.synthetic;
}

function showTumour(prediction) {
  const { tumour_probability: tumour, threshold, upper_threshold: upper } = prediction;
  const two = hasBand(prediction);
  byId('tumour-probability').textContent = percent(tumour);
  byId('tumour-fill').style.width = `${tumour * 100}%`;
  byId('band').style.left = `${threshold * 100}%`;
  byId('band').style.width = two ? `${(upper - threshold) * 100}%` : '0';
  byId('threshold-text').textContent = two
    ? `The marks are this model’s thresholds, ${percent(threshold)} and ${percent(upper)}: below the `
      + 'first, it decides for no tumour; from the second on, for a tumour; between them, it is uncertain.'
    : `The mark is this model’s threshold, ${percent(threshold)}: below it, it decides for no tumour.`;
}

function showBars({ probabilities }) {
  const sorted = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
  byId('bars').replaceChildren(...sorted.map(([name, probability], place) => {
    const fill = make('div', { className: 'fill' });
    fill.style.width = `${probability * 100}%`;
    const track = make('div', { className: 'track' }, fill);
    track.setAttribute('aria-hidden', 'true');
    return make('li', { className: place ? 'bar' : 'bar bar-first' },
      make('div', { className: 'bar-text' },
        make('span', {}, className(name)), make('span', {}, percent(probability))),
      track);
  }));
}

function showAbout({ id, created_at: created, model, crop }) {
  const rows = {
    Answered: moment(created),
    Model: `Version ${model.version}, ${architectureName(model.architecture)}`,
    'Trained on': model.synthetic ? 'Generated images only' : 'Real images',
    Digest: model.digest.slice(0, 16),
    'Part seen': `${crop.width} × ${crop.height} pixels of the upload, from ${crop.x}, ${crop.y}`,
    Reference: id,
  };
  byId('about').replaceChildren(...Object.entries(rows).flatMap(
    ([term, value]) => [make('dt', {}, term), make('dd', {}, String(value))],
  ));
}
