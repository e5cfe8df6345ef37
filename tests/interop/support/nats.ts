import { needProgram } from "./packages.ts";
import { RestartingServer } from "./restarting_server.ts";

/**
 * Starts a nats-server on a free loopback port, and waits until it accepts.
 *
 * @param configuration Returns the text of its configuration file, at each start.
 */
export async function startNats(configuration: () => string = () => ""): Promise<RestartingServer> {
  await needProgram("nats-server", "--version");
  return await RestartingServer.start({
    command: "nats-server",
    args(port, folder) {
      const file = `${folder}/nats.conf`;
      Deno.writeTextFileSync(file, configuration());
      return ["--addr", "127.0.0.1", "--port", `${port}`, "--config", file];
    },
    log: "stderr",
    readyText: "Server is ready",
  });
}
