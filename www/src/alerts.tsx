// Where the workspace is told of what its owners would want to know.

import { useCallback, useRef, useState } from "preact/hooks";
import { type Answer, ask, type Once, once, Refused } from "./api";
import { Await, Confirm, Field, Title, Trouble, useChange, useLoad } from "./parts";
import { Secret, type Shown } from "./secret";
import { at } from "./state";
import { ago, minute } from "./time";
import type { Delivery, Webhook } from "./types";

const EVENTS = ["key.threshold", "key.expiring", "key.leaked", "budget.threshold", "denials.anomaly"];
const DAY = 86_400;

/** The webhook, or that there is none. */
async function load(): Promise<Answer<Webhook> | { body: null; etag: null }> {
  return ask<Webhook>("GET", at("/webhooks")).catch((error: Error) => {
    if (error instanceof Refused && error.status === 404) return { body: null, etag: null };
    throw error;
  });
}

export function Alerts() {
  const loaded = useLoad(load, []);
  const [shown, setShown] = useState<Shown[] | null>(null);
  const [question, setQuestion] = useState<"rotate" | "remove" | null>(null);
  // Whether a secret was in an answer that did not come.
  const [isLost, setLost] = useState(false);
  const asked = useRef<Once | null>(null);
  const close = useCallback(() => setQuestion(null), []);
  const done = useCallback(() => {
    setShown(null);
    loaded.reload();
  }, [loaded.reload]);
  if (shown) return <Secret of={shown} to="alerts" done={done} />;
  const changed = ({ body, replayed }: Answer<Webhook>, hasSecret: boolean) => {
    setLost(hasSecret && replayed && !body.secret);
    if (body.secret) return setShown([{ label: "Secret of the webhook", text: body.secret }]);
    loaded.reload();
  };
  const rotate = async () => {
    asked.current ??= once({ grace_seconds: DAY });
    const answer = await ask<Webhook>("POST", at("/webhooks/rotate"), asked.current);
    asked.current = null;
    // The page of the secret takes the place of the question.
    close();
    changed(answer, true);
  };
  const remove = async () => {
    await ask("DELETE", at("/webhooks"));
    setLost(false);
    loaded.reload();
  };
  return (
    <>
      <Title>Alerts</Title>
      <p>Alerts are sent to one webhook, signed as Standard Webhooks are.</p>
      {isLost && <p class="trouble" role="alert">This was done by an earlier request, whose answer was lost, and the secret with it: rotate it.</p>}
      <Await of={loaded}>
        {({ body, etag }) => (
          <>
            <Form key={etag ?? "none"} of={body} etag={etag} changed={changed} />
            {body && (
              <>
                <div class="actions">
                  <button type="button" onClick={() => setQuestion("rotate")}>Rotate the secret</button>
                  <button type="button" class="danger" onClick={() => setQuestion("remove")}>Remove the webhook</button>
                </div>
                <Deliveries of={body} />
              </>
            )}
          </>
        )}
      </Await>
      {question === "rotate" && (
        <Confirm title="Rotate the secret?" action="Rotate" close={close} act={rotate}>
          <p>The webhook gets a new secret, which is shown once. For a day the old one signs, too.</p>
        </Confirm>
      )}
      {question === "remove" && (
        <Confirm title="Remove the webhook?" action="Remove" close={close} act={remove}>
          <p>Alerts that wait are dropped.</p>
        </Confirm>
      )}
    </>
  );
}

interface FormProps {
  of: Webhook | null;
  etag: string | null;
  changed: (answer: Answer<Webhook>, hasSecret: boolean) => void;
}

function Form({ of: webhook, etag, changed }: FormProps) {
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [events, setEvents] = useState(webhook?.events ?? EVENTS);
  const [isDisabled, setDisabled] = useState(!!webhook?.disabled);
  const { isBusy, error, change } = useChange();
  const asked = useRef<Once | null>(null);
  const set = (act: () => void) => {
    asked.current = null;
    act();
  };
  const told = error instanceof Refused ? error.fields : [];
  const wrong = told.filter(({ field }) => field === "url").map(({ message }) => message).join("; ");
  const send = (event: Event) => {
    event.preventDefault();
    asked.current ??= once({ url, events, disabled: isDisabled });
    const { current } = asked;
    void change(async () => changed(await ask<Webhook>("PUT", at("/webhooks"), { ...current, etag }), webhook === null));
  };
  const turn = (name: string, isOn: boolean) => set(() => setEvents(isOn ? [...events, name] : events.filter((own) => own !== name)));
  return (
    <form class="form" onSubmit={send}>
      <Field label="URL" hint="https, on the Internet." error={wrong}>
        {(own) => <input {...own} type="url" required class="code" value={url} spellcheck={false} onInput={({ currentTarget }) => set(() => setUrl(currentTarget.value))} />}
      </Field>
      <fieldset>
        <legend>Of what</legend>
        {EVENTS.map((name) => (
          <p class="check" key={name}>
            <label><input type="checkbox" checked={events.includes(name)} onChange={(event) => turn(name, event.currentTarget.checked)} /> {name}</label>
          </p>
        ))}
      </fieldset>
      <p class="check">
        <label><input type="checkbox" checked={isDisabled} onChange={({ currentTarget }) => set(() => setDisabled(currentTarget.checked))} /> Send nothing for now</label>
        {webhook?.disabled === "gone" && <span class="small">The receiver answered 410.</span>}
      </p>
      {error && <Trouble error={error} />}
      <button class="primary" disabled={isBusy || events.length === 0}>{webhook ? "Save" : "Set the webhook"}</button>
    </form>
  );
}

function Deliveries({ of: { deliveries = [], waiting = 0 } }: { of: Webhook }) {
  return (
    <>
      <h2>Deliveries</h2>
      <p class="small">{waiting === 0 ? "No alert waits." : `${waiting} alerts wait.`}</p>
      {deliveries.length > 0 && (
        <div class="scroll" role="region" aria-label="Deliveries" tabIndex={0}>
          <table>
            <thead><tr>{["Alert", "Time", "Attempt", "Answer", "Again"].map((text) => <th key={text} scope="col">{text}</th>)}</tr></thead>
            <tbody>{deliveries.map((one) => <Attempt key={`${one.id}-${one.attempt}`} of={one} />)}</tbody>
          </table>
        </div>
      )}
    </>
  );
}

function Attempt({ of: one }: { of: Delivery }) {
  return (
    <tr>
      <th scope="row">{one.type} <code class="small">{one.id}</code></th>
      <td>{minute(one.time)}</td>
      <td class="number">{one.attempt}</td>
      <td>{one.status ?? "none"}</td>
      <td>{one.next ? ago(one.next) : "delivered"}</td>
    </tr>
  );
}
