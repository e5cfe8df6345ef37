import type { Network, Side } from "../../faults/support/network.ts";
import { needProgram } from "./packages.ts";
import { Output } from "./redis.ts";
import { endProcess } from "./ending.ts";

/** A bus on which everybody may do everything: it is reached through a folder that only this test has. */
const BUS = (path: string) =>
  `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=${path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true"/><allow receive_type="method_call"/>
<allow receive_type="signal"/><allow receive_requested_reply="true"/></policy></busconfig>
`;

const CONFIGURATION = `
[server]
host-name=avahi-host
use-ipv4=yes
use-ipv6=no
disallow-other-stacks=no
[publish]
publish-workstation=no
publish-hinfo=no
[wide-area]
enable-wide-area=no
`;

/** A program of a side of a network, and its output. Disposing kills it. */
export class Running implements AsyncDisposable {
  readonly output: Output;
  readonly #child: Deno.ChildProcess;

  constructor(network: Network, side: Side, args: readonly string[], bus = "") {
    this.#child = new Deno.Command("ip", {
      args: ["netns", "exec", network.space(side), "sh", "-c", 'exec "$@" 2>&1', "sh", ...args],
      stdin: "null",
      stdout: "piped",
      env: { NO_COLOR: "1", LC_ALL: "C", DBUS_SYSTEM_BUS_ADDRESS: bus },
    }).spawn();
    this.output = new Output(this.#child.stdout);
  }

  /** Waits until the output has a text. */
  async until(text: string): Promise<void> {
    if (!await this.output.until(text)) {
      throw new Error(`ended without ${text}: ${this.output.text}`);
    }
  }

  /** Waits until it ends, and returns its exit code. */
  async end(): Promise<number> {
    const { code } = await this.#child.status;
    await this.output.ended;
    return code;
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.#child);
    await this.end();
  }
}

/** The daemon of multicast DNS on a side of a network, with a bus of its own. */
export class Avahi implements AsyncDisposable {
  readonly #network: Network;
  readonly #side: Side;
  readonly #folder: string;
  readonly #running: Running[] = [];

  private constructor(network: Network, side: Side, folder: string) {
    this.#network = network;
    this.#side = side;
    this.#folder = folder;
  }

  static async start(network: Network, side: Side): Promise<Avahi> {
    await needProgram("dbus-daemon", "--version", "dbus-daemon");
    await needProgram("avahi-daemon", "--version");
    await needProgram("avahi-browse", "--version", "avahi-utils");
    const folder = await Deno.makeTempDir({ prefix: "avahi-" });
    const avahi = new Avahi(network, side, folder);
    try {
      await avahi.#start();
      return avahi;
    } catch (error) {
      await avahi[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts one of the tools that talk to the daemon. */
  run(...args: string[]): Running {
    const running = new Running(this.#network, this.#side, args, `unix:path=${this.#folder}/bus`);
    this.#running.push(running);
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running.toReversed()) await running[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #start(): Promise<void> {
    const folder = this.#folder;
    await Deno.writeTextFile(`${folder}/bus.conf`, BUS(`${folder}/bus`));
    await Deno.writeTextFile(`${folder}/avahi.conf`, CONFIGURATION);
    const bus = this.run(
      "dbus-daemon",
      `--config-file=${folder}/bus.conf`,
      "--nofork",
      "--print-address=1",
    );
    await bus.until("unix:path=");
    // Each `ip netns exec` has mounts of its own, so the daemon's files in /run meet no other daemon.
    const daemon = this.run(
      "sh",
      "-ec",
      "mount -t tmpfs none /run; mkdir /run/avahi-daemon; exec avahi-daemon " +
        `-f ${folder}/avahi.conf --no-drop-root --no-chroot --no-rlimits`,
    );
    await daemon.until("Server startup complete");
  }
}
