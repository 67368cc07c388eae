// The floor: everything a gate must do to a request and its answer, and no decision.
import { forward } from "./forward.mjs";
import { GRANT } from "./grant.mjs";

export default {
  fetch(req, env) {
    return forward(req, env.ORIGIN, GRANT);
  },
};
