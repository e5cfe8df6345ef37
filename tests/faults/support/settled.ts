/** Waits until a number is above 0 and has stayed the same for 100 ms. */
export async function settled(read: () => Promise<number>): Promise<void> {
  for (let last = 0, since = 0, now: number; since < 5; last = now) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    now = await read();
    since = now > 0 && now === last ? since + 1 : 0;
  }
}
