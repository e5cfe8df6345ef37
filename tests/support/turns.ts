// The real one: a test may have put a virtual clock in its place when this runs.
const { setTimeout } = globalThis;

/** Lets everything run that can run without waiting for time or for the network. */
export async function turns(count = 3): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
  }
}

/** Whether a promise is still pending once everything has run that can run. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  const settle = () => void (pending = false);
  promise.then(settle, settle);
  await turns();
  return pending;
}
