/** Puts the parts of the page together: who is signed in, and what is shown. */

import { getJson, resume, signOut, whenSessionEnds } from './api.js';
import { initAuth } from './auth.js';
import { byId, tell } from './dom.js';
import { initHeatmap } from './heatmap.js';
import { addToHistory, initHistory, markOpen, showOlder } from './history.js';
import { initModels, loadModels } from './models.js';
import { hideResult, showResult, showWaiting } from './result.js';
import { checkStatus, initStatus } from './status.js';
import { initUpload, setReady } from './upload.js';

let openId = '';

function open(prediction, options) {
  openId = prediction.id;
  showResult(prediction, options);
  markOpen(openId);
}

function close() {
  openId = '';
  hideResult();
  markOpen('');
}

async function enter() {
  const me = await getJson('/v1/me');
  byId('account-email').textContent = me.email;
  byId('account').hidden = false;
  byId('welcome').hidden = true;
  byId('workspace').hidden = false;
  byId('main').focus({ preventScroll: true });
  if (me.role === 'admin') loadModels();
  showOlder();
}

async function begin() {
  try {
    if (await resume()) {
      await enter();
      return;
    }
  } catch (error) {
    tell(byId('auth-error'), error.message);
  }
  byId('welcome').hidden = false;
}

initAuth(enter);
initHeatmap();
initHistory({
  opened: (prediction) => {
    open(prediction);
    byId('decision').focus();
  },
  deleted: (id) => id === openId && close(),
});
initModels(checkStatus);
initUpload({
  started: (file) => {
    openId = '';
    markOpen('');
    showWaiting(file);
  },
  done: (prediction) => {
    addToHistory(prediction);
    open(prediction, { spoken: true });
  },
  failed: close,
});
initStatus(setReady);
whenSessionEnds(() => location.reload()); // Nothing of the last person stays in memory.
byId('sign-out').addEventListener('click', signOut);
begin();
