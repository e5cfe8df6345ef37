import {
  formatAddressTarget,
  parseAddressTarget,
  parseSocketAddressTarget,
  trustListTarget,
} from "./address_targets.ts";
import { codecTargets } from "./codec_targets.ts";
import {
  encodeProxyHeaderTarget,
  proxyV1Target,
  proxyV2Target,
  recvProxyHeaderTarget,
} from "./proxy_targets.ts";
import { readerTargets } from "./reader_targets.ts";
import type { Target } from "./target.ts";

/** All parsers of foreign bytes. */
export const targets: readonly Target[] = [
  parseAddressTarget,
  parseSocketAddressTarget,
  formatAddressTarget,
  trustListTarget,
  ...codecTargets,
  ...readerTargets,
  proxyV1Target,
  proxyV2Target,
  recvProxyHeaderTarget,
  encodeProxyHeaderTarget,
];
