/** Makes an abort signal that counts its listeners. */
export function countedSignal(
  { signal } = new AbortController(),
): { signal: AbortSignal; listeners: () => number } {
  const live = new Set<unknown>();
  const add = signal.addEventListener;
  const remove = signal.removeEventListener;
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    live.add(args[1]);
    add.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    live.delete(args[1]);
    remove.apply(signal, args);
  };
  return { signal, listeners: () => live.size };
}
