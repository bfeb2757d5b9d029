/** Choosing or dropping a file, and sending it. */

import { post } from './api.js';
import { byId, tell } from './dom.js';

let busy = false;
let ready = false;
let limit = Infinity;
let last = null; // The file that was sent last, and its key, until it is answered.

/** `started(file)`, `done(prediction)` and `failed()` are called as an upload goes. */
export function initUpload({ started, done, failed }) {
  const input = byId('file');
  const take = (files) => {
    const reason = refusal(files);
    tell(byId('upload-error'), reason);
    if (files.length && !reason) send(files[0], { started, done, failed });
  };
  input.addEventListener('change', () => {
    take([...input.files]);
    input.value = '';
  });
  acceptDrops(take);
  update();
}

/** Uploads are accepted only while a model answers, of at most `uploadLimit` bytes. */
export function setReady({ ready: value, uploadLimit }) {
  ready = value;
  limit = uploadLimit ?? limit;
  byId('drop-limit').textContent = limit < Infinity ? `, up to ${megabytes()}` : '';
  update();
}

/** Why `files` cannot be sent just now; '' if they can. */
function refusal(files) {
  if (!files.length) return '';
  if (busy) return 'The last image is still being analysed. Wait for its answer.';
  if (!ready) return 'No model answers yet. Send the image again in a while.';
  if (files.length > 1) return 'One slice at a time.';
  if (files[0].size > limit) {
    return `${files[0].name} is larger than ${megabytes()}. Send a smaller copy, or one slice.`;
  }
  return '';
}

function megabytes() {
  return `${Math.floor(limit / 1e6)} MB`;
}

/** The same key for the same file until it is answered: a retry makes no second entry. */
function keyOf({ name, size, lastModified }) {
  const file = JSON.stringify([name, size, lastModified]);
  if (last?.file !== file) {
    const random = crypto.getRandomValues(new Uint8Array(16)); // randomUUID needs https
    last = { file, key: Array.from(random, (byte) => byte.toString(16)).join('-') };
  }
  return last.key;
}

async function send(file, { started, done, failed }) {
  busy = true;
  update();
  started(file);
  const form = new FormData();
  form.append('file', file, 'image');
  try {
    const headers = { 'Idempotency-Key': keyOf(file) };
    const prediction = await post('/v1/predictions?explain=true', form, headers);
    last = null;
    done(prediction);
  } catch (error) {
    if (error.status === 409) last = null; // The file was changed under its name.
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
