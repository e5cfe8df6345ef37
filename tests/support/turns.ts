// The real function. A test may have replaced it by a virtual clock when this runs.
const { setTimeout } = globalThis;

/** Waits until everything has run that needs neither time nor the network. */
export async function turns(count = 3): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
  }
}

/** Tells if a promise is still pending after everything has run that can run. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  const settle = () => void (pending = false);
  promise.then(settle, settle);
  await turns();
  return pending;
}
