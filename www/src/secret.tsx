// A secret, shown once. It is in the memory of this page alone, and goes with it.

import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Confirm, Title } from "./parts";
import { go, isShown, leaving, stay } from "./route";
import type { NewSecret } from "./types";

export interface Shown {
  label: string;
  text: string;
}

/** The secrets of a new or rotated key. */
export const secretsOf = ({ secret, signing_secret }: NewSecret): Shown[] => [
  ...(secret === undefined ? [] : [{ label: "API key", text: secret }]),
  ...(signing_secret === undefined ? [] : [{ label: "Signing secret", text: signing_secret }]),
];

/** Shows them; `to` is where we go on. */
export function Secret({ of: shown, to, done }: { of: Shown[]; to: string; done: () => void }) {
  const [isStored, setStored] = useState(false);
  // A page that is kept for the back button keeps no secret.
  useLayoutEffect(() => {
    const forget = () => done();
    addEventListener("pagehide", forget);
    return () => removeEventListener("pagehide", forget);
  }, [done]);
  const isAny = shown.length > 0;
  useLayoutEffect(() => {
    isShown.value = isAny;
    // For every way out of the page; those within it ask themselves.
    const ask = (event: Event) => isShown.value && event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => {
      isShown.value = false;
      removeEventListener("beforeunload", ask);
    };
  }, [isAny]);
  const id = useId();
  if (!isAny) {
    return (
      <>
        <Title>Made before</Title>
        <p>This was done by an earlier request, whose answer had the secret. If it is lost, rotate it.</p>
        <a class="button" href={`#/${to}`} onClick={done}>Go on</a>
      </>
    );
  }
  const leave = () => {
    done();
    go(to);
  };
  return (
    <section class="secret">
      <Title>Store the secret now</Title>
      <p>It is shown this once. Portcullis cannot show it again.</p>
      {shown.map((one) => <Text key={one.label} {...one} />)}
      <p class="check">
        <input id={id} type="checkbox" checked={isStored} onChange={(event) => setStored(event.currentTarget.checked)} />
        <label for={id}>I have stored it</label>
      </p>
      <button type="button" class="primary" disabled={!isStored} onClick={leave}>Done</button>
    </section>
  );
}

/** The question before a way out that was taken while one is shown. */
export function Leave() {
  const act = leaving.value;
  return act && <Question act={act} />;
}

function Question({ act }: { act: () => void }) {
  // A dialog tells later that it is closed, when the address may be of the next page already.
  const isLeft = useRef(false);
  const leave = async () => {
    act();
    isLeft.current = true;
  };
  const close = () => (isLeft.current ? (leaving.value = null) : stay());
  return (
    <Confirm title="Leave the secret?" action="Leave it" close={close} act={leave}>
      <p>It is shown this once, and goes with the page that shows it.</p>
    </Confirm>
  );
}

function Text({ label, text }: { label: string; text: string }) {
  const [said, setSaid] = useState("");
  const id = useId();
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setSaid("Copied."),
      () => setSaid("The browser does not let us copy: select the text."),
    );
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="copy">
        <input id={id} class="code" readOnly value={text} autocomplete="off" spellcheck={false} onFocus={(event) => event.currentTarget.select()} />
        <button type="button" onClick={copy}>Copy</button>
      </div>
      <p role="status" class="hint">{said}</p>
    </div>
  );
}
