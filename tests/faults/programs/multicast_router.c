// Forwards IPv4 multicast from one device to another, and prints "ready" once it does. It ends at the end of its
// standard input.
//
// multicast_router FROM_ADDRESS TO_ADDRESS SOURCE GROUP
//
// The kernel forwards multicast only while a process holds this socket (linux/mroute.h).
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/mroute.h>

static int router;

static int set(int option, const void *value, socklen_t length) {
  return setsockopt(router, IPPROTO_IP, option, value, length);
}

static int add_device(vifi_t index, const char *address) {
  struct vifctl device;
  memset(&device, 0, sizeof device);
  device.vifc_vifi = index;
  device.vifc_threshold = 1;
  device.vifc_lcl_addr.s_addr = inet_addr(address);
  return set(MRT_ADD_VIF, &device, sizeof device);
}

int main(int count, char **words) {
  if (count != 5) return 2;
  router = socket(AF_INET, SOCK_RAW, IPPROTO_IGMP);
  int on = 1;
  struct mfcctl route;
  memset(&route, 0, sizeof route);
  route.mfcc_origin.s_addr = inet_addr(words[3]);
  route.mfcc_mcastgrp.s_addr = inet_addr(words[4]);
  route.mfcc_parent = 0;
  route.mfcc_ttls[1] = 1;
  if (set(MRT_INIT, &on, sizeof on) || add_device(0, words[1]) || add_device(1, words[2]) ||
      set(MRT_ADD_MFC, &route, sizeof route)) {
    perror("multicast_router");
    return 1;
  }
  puts("ready");
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) continue;
  return 0;
}
