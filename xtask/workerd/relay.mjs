// Workspaces of one process for the gates of another: both ends of the way between them. Among the
// gates the class stands for each object and hands its calls on; with the objects the default export
// takes them in. What fails there is here a status other than 200, or an error.

import { DurableObject } from "cloudflare:workers";

export class Workspace extends DurableObject {
  fetch(request) {
    return this.env.HOME.fetch(`http://workspaces/${this.ctx.id.name}`, request);
  }
}

export default {
  fetch(request, env) {
    const number = new URL(request.url).pathname.slice(1);
    return env.WORKSPACE.get(env.WORKSPACE.idFromName(number)).fetch(request);
  },
};
