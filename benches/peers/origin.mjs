export default {
  fetch() {
    return new Response('{"ok":true,"items":[1,2,3]}', { headers: { "Content-Type": "application/json" } });
  },
};
