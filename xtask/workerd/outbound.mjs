// What the gates fetch: the key sets of issuers outside, all else from the origin.

export default {
  fetch(request, env) {
    const accept = request.headers.get("accept") ?? "";
    return (accept.startsWith("application/jwk-set+json") ? env.OUTSIDE : env.ORIGIN).fetch(request);
  },
};
