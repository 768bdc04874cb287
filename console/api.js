// Requests to the server, and who makes them.

/** An answer that is an error: `status` of HTTP and, below magic/v1/, the API's `kind`. */
export class RequestError extends Error {
  constructor(status, kind, message) {
    super(message);
    this.status = status;
    this.kind = kind;
  }
}

/** Tells the frame of the page: "login" when the server asks who we are, "offline" and "online". */
export const connection = new EventTarget();

/** How long an answer may take, in milliseconds. */
const PATIENCE = 40_000;
const KEY = "magic.authorization";
let isOffline = false;

export const login = {
  get authorization() {
    return sessionStorage.getItem(KEY);
  },
  /** Without a user the secret is a token. */
  set(user, secret) {
    // btoa takes bytes as characters; names and passwords are sent as UTF-8.
    const bytes = new TextEncoder().encode(`${user}:${secret}`);
    sessionStorage.setItem(KEY, user ? `Basic ${btoa(String.fromCharCode(...bytes))}` : `Bearer ${secret}`);
  },
  clear() {
    sessionStorage.removeItem(KEY);
  },
};

/** The caller, as `GET magic/v1/me` tells; set by the frame before a page is shown. */
export const session = {
  me: undefined,
  get isAdmin() {
    return this.me.role === "admin";
  },
  /** Whether the caller may see all databases, and so the status and the events. */
  get seesAll() {
    return this.me.databases === undefined;
  },
};

function setOffline(value) {
  if (value === isOffline) return;
  isOffline = value;
  connection.dispatchEvent(new Event(value ? "offline" : "online"));
  if (value) retry();
}

async function retry() {
  while (isOffline) {
    await new Promise(resolve => setTimeout(resolve, 2000));
    await send("ping").catch(() => {});
  }
}

/** One request; resolves with the response whatever its status is. Fails when the server cannot be reached. */
async function send(path, options = {}) {
  const headers = {...options.headers};
  if (login.authorization) headers.Authorization = login.authorization;
  try {
    // "omit": the browser is to show no login window of its own.
    const response = await fetch(path, {...options, headers, credentials: "omit", cache: "no-store"});
    setOffline(false);
    return response;
  } catch (error) {
    if (error.name !== "AbortError") setOffline(true);
    throw error;
  }
}

async function failure(response) {
  const text = await response.text();
  if (response.status === 401) connection.dispatchEvent(new Event("login"));
  try {
    const {kind, message} = JSON.parse(text).error;
    return new RequestError(response.status, kind, message);
  } catch {
    return new RequestError(response.status, response.headers.get("X-Magic-Error-Kind"), text.trim() || `status ${response.status}`);
  }
}

async function json(path, options) {
  const response = await send(`magic/v1/${path}`, {...options, signal: AbortSignal.timeout(PATIENCE)});
  if (!response.ok) throw await failure(response);
  return response.json();
}

export const get = path => json(path);
export const post = (path, body = {}) => json(path, {method: "POST", body: JSON.stringify(body)});

/** Runs a statement. @returns the response, whose body streams. */
export async function runStatement(sql, parameters = {}, signal) {
  const chosen = Object.entries(parameters).filter(([, value]) => value);
  const response = await send(`./?${new URLSearchParams(chosen)}`, {method: "POST", body: sql, signal});
  if (!response.ok) throw await failure(response);
  return response;
}

/** The rows of a small result as objects. Values are as JSON has them. */
export async function select(sql) {
  const response = await runStatement(sql, {default_format: "JSON"});
  return (await response.json()).data;
}
