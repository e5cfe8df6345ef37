import { formatAddressTarget, parseAddressTarget, trustListTarget } from "./address_targets.ts";
import { codecTargets } from "./codec_targets.ts";
import {
  encodeProxyHeaderTarget,
  proxyV1Target,
  proxyV2Target,
  recvProxyHeaderTarget,
} from "./proxy_targets.ts";
import { readerTargets } from "./reader_targets.ts";
import type { Target } from "./target.ts";

/** Everything that reads what strangers send. */
export const targets: readonly Target[] = [
  parseAddressTarget,
  formatAddressTarget,
  trustListTarget,
  ...codecTargets,
  ...readerTargets,
  proxyV1Target,
  proxyV2Target,
  recvProxyHeaderTarget,
  encodeProxyHeaderTarget,
];
