/**
 * The REST API: adds the bearer token, renews it by cookie, and turns problems into errors.
 *
 * The access token lives in this module's memory only. Local storage holds no secret, just the hint
 * that a session may exist, so that a first visit need not ask for one.
 */

const BROWSER = { 'X-Gyrus-Client': 'browser' };
const HINT = 'gyrus-session';
const ENDED = 'gyrus-session-ended';
const EARLY_MS = 30_000;

let access = null;
let renewal = null;
let onEnd = () => {};

/** An error of the API; the message is the problem's detail. */
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Call `listener` when the session is over. */
export function whenSessionEnds(listener) {
  onEnd = listener;
}

export async function signIn(username, password) {
  const body = new URLSearchParams({ username, password });
  keep(await (await checked(send('/v1/token', { method: 'POST', headers: BROWSER, body }))).json());
}

export async function register(email, password, consent) {
  await checked(send('/v1/users', asJson({ email, password, consent })));
}

/** Sign out. When that fails the session goes on: the cookie is still good. */
export async function signOut() {
  await checked(send('/v1/token/revoke', { method: 'POST', headers: BROWSER }));
  end();
}

/** Whether a session ended without being asked to; true once, also after a reload. */
export function sessionHadEnded() {
  const ended = sessionStorage.getItem(ENDED) !== null;
  sessionStorage.removeItem(ENDED);
  return ended;
}

/** Renew the access token by the cookie. False when there is no session. */
export function resume() {
  renewal ??= oneTabAtATime(renew).finally(() => { renewal = null; });
  return renewal;
}

export async function getJson(path) {
  return (await call(path)).json();
}

export async function getBlob(path) {
  return (await call(path)).blob();
}

/** POST a form or nothing, and return the JSON answer. */
export async function post(path, body, headers = {}) {
  return (await call(path, { method: 'POST', body, headers })).json();
}

export async function remove(path) {
  await call(path, { method: 'DELETE' });
}

async function call(path, options = {}) {
  if (access && Date.now() > access.until) await resume();
  let response = await send(path, options);
  if (response.status === 401 && await resume()) response = await send(path, options);
  if (response.status === 401) {
    sessionStorage.setItem(ENDED, '1');
    end();
  }
  return checked(response);
}

async function send(path, options = {}) {
  const headers = { ...options.headers };
  if (access) headers.Authorization = `Bearer ${access.token}`;
  try {
    return await fetch(path, { ...options, headers, cache: 'no-store' });
  } catch {
    throw new Problem(0, 'Gyrus cannot be reached. Check the connection and try again.');
  }
}

async function checked(pending) {
  const response = await pending;
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const told = typeof problem.detail === 'string' ? problem.detail : problem.title;
  throw new Problem(response.status, told || `Gyrus answered with an error (${response.status}).`);
}

function asJson(value) {
  return {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(value),
  };
}

/** A refresh token is used once: two tabs that renewed together would end the session. */
function oneTabAtATime(work) {
  return navigator.locks ? navigator.locks.request('gyrus-renew', work) : work();
}

async function renew() {
  if (!localStorage.getItem(HINT)) return false;
  const response = await send('/v1/token/refresh', { method: 'POST', headers: BROWSER });
  if (response.status >= 400 && response.status < 500) {
    localStorage.removeItem(HINT);
    sessionStorage.setItem(ENDED, '1');
    return false;
  }
  keep(await (await checked(response)).json());
  return true;
}

function keep(answer) {
  access = {
    token: answer.access_token,
    until: Date.now() + answer.expires_in * 1000 - EARLY_MS,
  };
  localStorage.setItem(HINT, '1');
}

function end() {
  access = null;
  localStorage.removeItem(HINT);
  onEnd();
}
