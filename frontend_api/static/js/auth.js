/** The sign-in form, which is the registration form too. */

import { register, signIn } from './api.js';
import { byId, tell } from './dom.js';

const MIN_PASSWORD = 12;
let joining = false;

export function initAuth(onSignedIn) {
  byId('auth-switch').addEventListener('click', () => {
    setJoining(!joining);
    byId('email').focus();
  });
  byId('auth-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const fault = findFault();
    if (fault) {
      tell(byId('auth-error'), fault.text);
      byId(fault.field).focus();
      return;
    }
    await submit(onSignedIn);
  });
}

async function submit(onSignedIn) {
  const button = byId('auth-submit');
  const email = byId('email').value.trim();
  const password = byId('password').value;
  tell(byId('auth-error'));
  button.disabled = true;
  button.textContent = joining ? 'Creating…' : 'Signing in…';
  try {
    if (joining) await register(email, password, byId('consent').checked);
    await signIn(email, password);
    await onSignedIn();
    byId('auth-form').reset();
  } catch (error) {
    tell(byId('auth-error'), error.message);
    button.textContent = action();
  } finally {
    button.disabled = false;
  }
}

function findFault() {
  if (!byId('email').value.trim()) return { field: 'email', text: 'Enter your email address.' };
  if (!byId('email').validity.valid) {
    return { field: 'email', text: 'This is not an email address.' };
  }
  if (!byId('password').value) return { field: 'password', text: 'Enter your password.' };
  if (!joining) return null;
  if (byId('password').value.length < MIN_PASSWORD) {
    return { field: 'password', text: `The password needs at least ${MIN_PASSWORD} characters.` };
  }
  if (!byId('consent').checked) {
    return { field: 'consent', text: 'An account needs your consent to keep its results.' };
  }
  return null;
}

function setJoining(value) {
  joining = value;
  byId('auth-title').textContent = action();
  byId('auth-submit').textContent = action();
  byId('auth-question').textContent = joining ? 'You have an account?' : 'New here?';
  byId('auth-switch').textContent = joining ? 'Sign in' : 'Create an account';
  byId('password').autocomplete = joining ? 'new-password' : 'current-password';
  byId('password-hint').hidden = !joining;
  byId('consent-field').hidden = !joining;
  tell(byId('auth-error'));
}

function action() {
  return joining ? 'Create account' : 'Sign in';
}
