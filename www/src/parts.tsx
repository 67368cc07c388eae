// Pieces that several pages are made of.

import type { ComponentChildren, RefObject } from "preact";
import { useCallback, useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { era, Refused } from "./api";

/** The heading of a page: it takes the focus when the page is opened, so that it is read out. */
export function Title({ children, actions }: { children: string; actions?: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  // Before it is painted: later it would take the focus from what somebody has gone to.
  useLayoutEffect(() => {
    document.title = `${children} · Portcullis`;
    heading.current?.focus();
  }, [children]);
  return (
    <div class="title">
      <h1 ref={heading} tabIndex={-1}>{children}</h1>
      {actions && <div class="actions">{actions}</div>}
    </div>
  );
}

export interface Loaded<T> {
  data: T | null;
  error: Error | null;
  reload: () => void;
}

/** What a question is answered; another one when one of `deps` changes. */
export function useLoad<T>(load: () => Promise<T>, deps: (string | number | undefined)[]): Loaded<T> {
  const question = JSON.stringify(deps);
  const [answered, setState] = useState<{ question: string; data: T | null; error: Error | null }>({ question, data: null, error: null });
  // What was said of another is no answer to this one.
  const state = answered.question === question ? answered : { data: null, error: null };
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isOver = false;
    const settle = (data: T | null, error: Error | null) =>
      isOver || setState((last) => ({ question, data: data ?? (last.question === question ? last.data : null), error }));
    load().then((data) => settle(data, null), (error: Error) => settle(null, error));
    return () => {
      isOver = true;
    };
  }, [question, turn]);
  const reload = useCallback(() => setTurn((last) => last + 1), []);
  const isOver = state.error instanceof Refused && state.error.isOver;
  useEffect(() => {
    if (isOver) reload();
  }, [isOver, era.value]);
  return { ...state, reload };
}

/** A change that is sent, and told whether it was made: one at a time, and what went wrong with the last. */
export function useChange() {
  const [state, setState] = useState<{ isBusy: boolean; error: Error | null }>({ isBusy: false, error: null });
  // Two events may come before what is shown is drawn anew.
  const isBusy = useRef(false);
  const change = async (act: () => Promise<void>) => {
    if (isBusy.current) return false;
    isBusy.current = true;
    setState({ isBusy: true, error: null });
    const error = await act().then(() => null, (error: Error) => error);
    isBusy.current = false;
    setState({ isBusy: false, error });
    return error === null;
  };
  return { ...state, change };
}

/** Shows what was loaded, or why there is nothing yet. */
export function Await<T>({ of, children }: { of: Loaded<T>; children: (data: T) => ComponentChildren }) {
  if (of.error && of.data === null) return <Trouble error={of.error} retry={of.reload} />;
  if (of.data === null) return <p class="loading" role="status">Loading …</p>;
  return (
    <>
      {of.error && <Trouble error={of.error} retry={of.reload} />}
      {children(of.data)}
    </>
  );
}

/** What went wrong, by the words of the API. */
export function Trouble({ error, retry }: { error: Error; retry?: () => void }) {
  if (error instanceof Refused && error.isOver) return null;
  const told = error instanceof Refused ? `${error.code} · request ${error.requestId}` : "";
  return (
    <div class="trouble" role="alert">
      <p>{error.message}</p>
      {told && <p class="small">{told}</p>}
      {retry && <button type="button" onClick={retry}>Try again</button>}
    </div>
  );
}

interface FieldProps {
  label: string;
  hint?: string;
  error?: string | undefined;
  children: (of: { id: string; "aria-describedby": string; "aria-invalid": boolean }) => ComponentChildren;
}

/** A labelled control, with a hint and what is wrong with it. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, "aria-describedby": `${id}-hint ${id}-error`, "aria-invalid": !!error })}
      <p class="hint" id={`${id}-hint`}>{hint}</p>
      <p class="error" id={`${id}-error`} aria-live="polite">{error}</p>
    </div>
  );
}

/** What lies over a page until it is closed. */
export function Modal(props: {
  title: string;
  of: RefObject<HTMLDialogElement | null>;
  /** Whether it has to stay, as what comes of it is told there. */
  isHeld?: boolean;
  close: () => void;
  children: ComponentChildren;
}) {
  const dialog = props.of;
  const id = useId();
  // Before it is painted: a key that is pressed at once is meant for it.
  useLayoutEffect(() => dialog.current?.showModal(), []);
  // The event comes later, when another may lie in its place.
  const close = (event: Event) => {
    if (event.currentTarget !== dialog.current) return;
    // A browser lets nobody hold a dialog for longer than one key.
    if (props.isHeld) dialog.current?.showModal();
    else props.close();
  };
  return (
    <dialog ref={dialog} aria-labelledby={id} onCancel={(event) => props.isHeld && event.preventDefault()} onClose={close}>
      <h2 id={id}>{props.title}</h2>
      {props.children}
    </dialog>
  );
}

/** A question before something that cannot be taken back. */
export function Confirm(props: {
  title: string;
  action: string;
  children: ComponentChildren;
  /** Whether it may be done by now. */
  isReady?: boolean;
  act: () => Promise<void>;
  close: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { isBusy, error, change } = useChange();
  const close = () => dialog.current?.close();
  // To close it gives the focus back to where it was.
  const act = async () => {
    if (await change(props.act)) close();
  };
  return (
    <Modal of={dialog} title={props.title} isHeld={isBusy} close={props.close}>
      {props.children}
      {error && <Trouble error={error} />}
      <div class="actions">
        <button type="button" disabled={isBusy} onClick={close}>Cancel</button>
        <button type="button" class="danger" disabled={isBusy || props.isReady === false} onClick={act}>{props.action}</button>
      </div>
    </Modal>
  );
}

/** A word that stands for a state, told by more than its colour. */
export function Badge({ status }: { status: string }) {
  return <span class={`badge ${status}`}>{status}</span>;
}
