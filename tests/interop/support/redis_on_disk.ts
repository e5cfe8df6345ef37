import { needProgram } from "./packages.ts";
import { RestartingServer } from "./restarting_server.ts";

/**
 * Starts a redis-server that writes each command to the disk before it replies, and loads all of it at each start. A
 * SIGKILL shows that it wrote in time. Only a machine that loses its power would show that it also called fsync.
 */
export async function startRedisOnDisk(
  ...more: readonly string[]
): Promise<RestartingServer> {
  await needProgram("redis-server", "--version");
  return await RestartingServer.start({
    command: "redis-server",
    args: (port, folder) => [
      ...["--bind", "127.0.0.1", "--port", `${port}`, "--dir", folder, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "always"],
      ...more,
    ],
    log: "stdout",
    readyText: "Ready to accept connections",
  });
}
