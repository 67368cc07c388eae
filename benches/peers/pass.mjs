export default {
  fetch(req, env) {
    return env.ORIGIN.fetch(req);
  },
};
