/** Is Gyrus ready, and which model answers? Polls the health of the service. */

import { byId, make } from './dom.js';
import { architectureName, duration } from './format.js';

const SOON_MS = 2_000;
const LATER_MS = 20_000;
const TITLES = {
  starting: 'Gyrus is starting',
  generating: 'Making images to train on',
  training: 'Training the first model',
  deploying: 'The model is being loaded',
  ready: 'The service is not ready',
  failed: 'The start failed',
};

let timer = 0;
let auroc = null;
let onChange = () => {};

/**
 * `changed({ ready, served, uploadLimit })` is called after every look: can predictions be made, by
 * which version ('' for none, null while nobody answers), and how many bytes may an upload have?
 */
export function initStatus(changed) {
  onChange = changed;
  document.addEventListener('visibilitychange', () => !document.hidden && checkStatus());
  checkStatus();
}

export async function checkStatus() {
  clearTimeout(timer);
  const health = await look();
  const ready = canPredict(health);
  show(health);
  onChange({
    ready,
    served: health ? String(health.model?.version ?? '') : null,
    uploadLimit: health?.upload_limit,
  });
  clearTimeout(timer);
  timer = setTimeout(checkStatus, ready && health.model ? LATER_MS : SOON_MS);
}

/** A registry that fails hides which model it is, and keeps none from answering. */
function canPredict(health) {
  return health?.status === 'ready' && Boolean(health.model || !health.model_known);
}

async function look() {
  try {
    const signal = AbortSignal.timeout(8_000);
    return await (await fetch('/health/ready', { cache: 'no-store', signal })).json();
  } catch {
    return null;
  }
}

function show(health) {
  byId('synthetic').hidden = !health?.model?.synthetic;
  showPill(health);
  byId('starting').classList.toggle('banner-failed', !health || health.stage === 'failed');
  if (!health) {
    banner('Gyrus does not answer', 'The connection is tried again every few seconds.');
  } else if (health.status !== 'ready') {
    banner(TITLES[health.stage] ?? TITLES.starting, health.message ?? '', health);
  } else if (!canPredict(health)) {
    banner('No model is served yet',
      'Images can be uploaded as soon as an administrator has promoted a model.');
  } else {
    byId('starting').hidden = true;
  }
}

function showPill(health) {
  const pill = byId('serving');
  const { model, stage } = health ?? {};
  const ready = canPredict(health);
  pill.dataset.state = ready ? 'ready' : (!health || stage === 'failed') ? 'failed' : 'wait';
  pill.textContent = 'Starting';
  if (ready) {
    pill.textContent = model
      ? `Ready · ${architectureName(model.architecture)}, version ${model.version}` : 'Ready';
  }
  else if (!health) pill.textContent = 'No connection';
  else if (health.status === 'unavailable') pill.textContent = 'Not ready';
  else if (stage === 'failed') pill.textContent = 'Start failed';
  else if (health.status === 'ready') pill.textContent = 'No model';
}

function banner(title, detail, health) {
  write(byId('starting-title'), title);
  write(byId('starting-detail'), detail);
  showProgress(health?.stage === 'training' ? health.progress : null);
  byId('starting').hidden = false;
}

/** Write only what changed, so that a live region is read out once. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showProgress(progress) {
  byId('starting-progress').hidden = !progress;
  if (!progress) return;
  auroc = progress.metrics?.val_auroc ?? auroc;
  const bar = byId('starting-bar');
  if (progress.of) {
    bar.max = progress.of;
    bar.value = progress.kind === 'step' ? Math.max(0, progress.epoch - 1) : progress.epoch;
  } else {
    bar.removeAttribute('value');
  }
  const figures = {
    Epoch: progress.of ? `${progress.epoch} of ${progress.of}` : null,
    Loss: progress.loss?.toFixed(3),
    'Validation AUROC': auroc?.toFixed(3),
    'Time left': progress.left_s == null ? null : duration(progress.left_s),
  };
  byId('starting-figures').replaceChildren(...Object.entries(figures)
    .filter(([, value]) => value)
    .map(([term, value]) => make('div', {}, make('dt', {}, term), make('dd', {}, value))));
}
