/*
 * A faulty link. It makes a TUN device in each of two network namespaces and carries packets between them. With one
 * namespace, it sends each packet back as if it came from the address it went to: then a process talks to itself
 * through the link, and both ends of a connection can be in one program.
 *
 * A packet may be lost, duplicated, held back behind later ones, or have a bit flipped. Each packet has at most one of
 * these faults, so that the counts add up: received = sent - lost - corrupted + duplicated. The flipped bit is in the
 * part that a checksum covers, and a checksum detects every single flipped bit.
 *
 * relay SEED LOSS DUPLICATION REORDERING CORRUPTION DELAY DEVICE NAMESPACE [NAMESPACE]
 * The four faults are in percent of all packets, and the delay is in ms. It prints "ready" after it has made the
 * devices, and the counts of the packets as JSON at SIGTERM.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST = 65536, QUEUE = 8192, HELD_BACK_MS = 3 };
enum { TCP = 6, UDP = 17 };

struct counts {
  unsigned long packets, lost, duplicated, reordered, corrupted, overflowed;
};

struct packet {
  uint64_t due; /* ns */
  uint64_t number;
  int to;
  struct counts *counts;
  size_t length;
  unsigned char *bytes;
};

static struct packet heap[QUEUE];
static size_t waiting;
static uint64_t numbers;
static struct counts tcp, udp, other;
static volatile sig_atomic_t ending;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void end(int signal) {
  (void)signal;
  ending = 1;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* xorshift64*: the same seed gives the same numbers. */
static uint64_t state;
static double percent(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (double)((state * 2685821657736338717u) >> 11) / 9007199254740992.0 * 100;
}

static int earlier(const struct packet *a, const struct packet *b) {
  return a->due != b->due ? a->due < b->due : a->number < b->number;
}

static void push(struct packet packet) {
  if (waiting == QUEUE) {
    packet.counts->overflowed++;
    free(packet.bytes);
    return;
  }
  size_t at = waiting++;
  for (; at > 0 && earlier(&packet, &heap[(at - 1) / 2]); at = (at - 1) / 2) {
    heap[at] = heap[(at - 1) / 2];
  }
  heap[at] = packet;
}

static struct packet pop(void) {
  struct packet first = heap[0], last = heap[--waiting];
  size_t at = 0;
  for (size_t child; (child = 2 * at + 1) < waiting; at = child) {
    if (child + 1 < waiting && earlier(&heap[child + 1], &heap[child])) child++;
    if (!earlier(&heap[child], &last)) break;
    heap[at] = heap[child];
  }
  heap[at] = last;
  return first;
}

static void enqueue(const unsigned char *bytes, size_t length, int to, struct counts *counts,
                    uint64_t delay) {
  unsigned char *copy = malloc(length);
  if (copy == NULL) fail("malloc");
  memcpy(copy, bytes, length);
  push((struct packet){now() + delay, numbers++, to, counts, length, copy});
}

/* Swaps the addresses. Their sum stays the same, and so do the checksums. */
static void mirror(unsigned char *bytes) {
  size_t size = bytes[0] >> 4 == 4 ? 4 : 16, at = size == 4 ? 12 : 8;
  unsigned char swapped[16];
  memcpy(swapped, bytes + at, size);
  memmove(bytes + at, bytes + at + size, size);
  memcpy(bytes + at + size, swapped, size);
}

static struct counts *counts_of(const unsigned char *bytes) {
  int protocol = bytes[0] >> 4 == 4 ? bytes[9] : bytes[6];
  return protocol == TCP ? &tcp : protocol == UDP ? &udp : &other;
}

static int device(const char *name, const char *space) {
  char path[256];
  snprintf(path, sizeof path, "/run/netns/%s", space);
  int there = open(path, O_RDONLY);
  if (there < 0) fail(path);
  if (setns(there, CLONE_NEWNET) < 0) fail("setns");
  close(there);
  int made = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  if (made < 0) fail("/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(made, TUNSETIFF, &request) < 0) fail("TUNSETIFF");
  return made;
}

static void print(const char *name, const struct counts *counts) {
  printf("\"%s\":{\"packets\":%lu,\"lost\":%lu,\"duplicated\":%lu,\"reordered\":%lu,"
         "\"corrupted\":%lu,\"overflowed\":%lu}", name, counts->packets, counts->lost,
         counts->duplicated, counts->reordered, counts->corrupted, counts->overflowed);
}

int main(int count, char **words) {
  if (count < 9) {
    fprintf(stderr, "relay: wrong arguments\n");
    return 2;
  }
  state = strtoull(words[1], NULL, 10) * 2 + 1;
  for (int skip = 0; skip < 16; skip++) percent(); /* Small seeds begin with small numbers. */
  double loss = atof(words[2]), duplication = loss + atof(words[3]);
  double reordering = duplication + atof(words[4]), corruption = reordering + atof(words[5]);
  uint64_t delay = (uint64_t)(atof(words[6]) * 1e6);
  struct pollfd ends[2];
  int many = count - 8;
  for (int at = 0; at < many; at++) {
    ends[at] = (struct pollfd){device(words[7], words[8 + at]), POLLIN, 0};
  }
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, NULL);
  signal(SIGINT, SIG_IGN); /* Whoever started it ends it. */
  printf("ready\n");
  fflush(stdout);

  static unsigned char bytes[LARGEST];
  while (!ending) {
    struct timespec wait = {1, 0};
    uint64_t time = now();
    if (waiting > 0) {
      uint64_t left = heap[0].due > time ? heap[0].due - time : 0;
      if (left < 1000000000u) wait = (struct timespec){0, (long)left};
    }
    if (ppoll(ends, (nfds_t)many, &wait, NULL) < 0) continue;
    for (int from = 0; from < many; from++) {
      for (ssize_t length; (length = read(ends[from].fd, bytes, sizeof bytes)) > 0;) {
        struct counts *counts = counts_of(bytes);
        int to = many - 1 - from;
        if (many == 1) mirror(bytes);
        double fault = percent();
        uint64_t later = 0;
        counts->packets++;
        if (fault < loss) {
          counts->lost++;
          continue;
        }
        if (fault < duplication) {
          counts->duplicated++;
          enqueue(bytes, (size_t)length, to, counts, delay);
        } else if (fault < reordering) {
          counts->reordered++;
          later = HELD_BACK_MS * 1000000u;
        } else if (fault < corruption && counts != &other) {
          counts->corrupted++;
          bytes[length - 1] ^= (unsigned char)(1u << ((unsigned)percent() & 7));
        }
        enqueue(bytes, (size_t)length, to, counts, delay + later);
      }
    }
    for (time = now(); waiting > 0 && heap[0].due <= time;) {
      struct packet packet = pop();
      /* A device loses the packet if its queue is full or if it is down, as a link would. */
      if (write(ends[packet.to].fd, packet.bytes, packet.length) < 0) {
        packet.counts->overflowed++;
      }
      free(packet.bytes);
    }
  }
  printf("{");
  print("tcp", &tcp);
  printf(",");
  print("udp", &udp);
  printf("}\n");
  return 0;
}
