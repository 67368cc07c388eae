// The few things that are cheaper in JavaScript than across the boundary. No
// decision is taken here.

export function random(into) {
  crypto.getRandomValues(into);
}

export function text(env, name) {
  const value = env[name];
  return typeof value === "string" ? value : "";
}
