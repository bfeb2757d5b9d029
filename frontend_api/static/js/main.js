/** Puts the parts of the page together: who is signed in, and what is shown. */

import { getJson, resume, sessionHadEnded, signOut, whenSessionEnds } from './api.js';
import { initAuth } from './auth.js';
import { byId, tell } from './dom.js';
import { initHeatmap } from './heatmap.js';
import { addToHistory, initHistory, markOpen, showNewest, showOlder } from './history.js';
import { initModels, loadModels } from './models.js';
import { hideResult, showResult, showWaiting } from './result.js';
import { checkStatus, initStatus } from './status.js';
import { initUpload, setReady } from './upload.js';

let openId = '';
let waiting = false; // Is the picture that is being analysed in view?
let admin = false;
let served = null;

function open(prediction, options) {
  openId = prediction.id;
  waiting = false;
  showResult(prediction, options);
  markOpen(openId);
}

function close() {
  openId = '';
  waiting = false;
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
  admin = me.role === 'admin';
  if (admin) loadModels();
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
  if (sessionHadEnded()) tell(byId('auth-error'), 'Your session has ended. Sign in again.');
}

async function leave() {
  tell(byId('sign-out-error'));
  try {
    await signOut();
  } catch (error) {
    tell(byId('sign-out-error'), `You are still signed in. ${error.message}`);
  }
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
    waiting = true;
    showWaiting(file);
  },
  done: (prediction) => {
    addToHistory(prediction);
    if (waiting) open(prediction, { spoken: true });
  },
  failed: () => {
    if (waiting) close();
    showNewest(); // It may have been kept, and only the answer was lost.
  },
});
initStatus((status) => {
  setReady(status);
  if (status.served === null || status.served === served) return;
  if (admin && served !== null) loadModels();
  served = status.served;
});
whenSessionEnds(() => location.reload()); // Nothing of the last person stays in memory.
byId('sign-out').addEventListener('click', leave);
begin();
