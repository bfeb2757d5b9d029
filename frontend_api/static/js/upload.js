/** Choosing or dropping a file, and sending it. */

import { post } from './api.js';
import { byId, tell } from './dom.js';

const LIMIT_MB = 20;
let busy = false;
let ready = false;

/** `started(file)`, `done(prediction)` and `failed()` are called as an upload goes. */
export function initUpload({ started, done, failed }) {
  const input = byId('file');
  const take = (files) => {
    if (files.length && ready && !busy) send(files[0], { started, done, failed });
  };
  input.addEventListener('change', () => {
    take([...input.files]);
    input.value = '';
  });
  acceptDrops(take);
  update();
}

/** Uploads are accepted only while a model answers. */
export function setReady(value) {
  ready = value;
  update();
}

async function send(file, { started, done, failed }) {
  tell(byId('upload-error'));
  if (file.size > LIMIT_MB * 1024 * 1024) {
    tell(byId('upload-error'),
      `${file.name} is larger than ${LIMIT_MB} MB. Send a smaller copy, or one slice.`);
    return;
  }
  busy = true;
  update();
  started(file);
  const form = new FormData();
  form.append('file', file, 'image');
  try {
    done(await post('/v1/predictions?explain=true', form));
  } catch (error) {
    failed();
    tell(byId('upload-error'), error.message);
  } finally {
    busy = false;
    update();
  }
}

function acceptDrops(take) {
  const zone = byId('drop');
  let depth = 0;
  const over = (change) => {
    depth = Math.max(0, depth + change);
    zone.classList.toggle('drop-over', depth > 0 && ready && !busy);
  };
  const holdsFile = (event) => event.dataTransfer?.types.includes('Files');
  window.addEventListener('dragenter', (event) => holdsFile(event) && over(1));
  window.addEventListener('dragleave', (event) => holdsFile(event) && over(-1));
  window.addEventListener('dragover', (event) => holdsFile(event) && event.preventDefault());
  window.addEventListener('drop', (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    over(-depth);
    if (!byId('workspace').hidden) take([...event.dataTransfer.files]);
  });
}

function update() {
  byId('file').disabled = busy || !ready;
  byId('choose').setAttribute('aria-disabled', String(busy || !ready));
  byId('drop').setAttribute('aria-busy', String(busy));
  let title = 'Drop a brain MRI slice here';
  if (!ready) title = 'Uploads open when a model answers';
  if (busy) title = 'Analysing…';
  byId('drop-title').textContent = title;
}
