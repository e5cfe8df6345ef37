// The peer of every measurement. All contenders talk to this one program, so that only the measured end differs.
// It prints "<tcp port> <udp port>", serves 127.0.0.1, and exits at the end of its standard input. It also serves the
// abstract Unix socket "sockets-bench-<tcp port>" as it serves TCP.
//
// The first byte of a connection is not echoed. It selects the job: 's' takes everything, 'g' sends without end,
// 'b' sends without end a byte at a time, 'f' sends frames of 64 bytes without end, each with a big-endian length of
// 4 bytes in front, 'e' echoes, and 'n' takes nothing.
// The first byte of a datagram selects the answer. 0 is echoed. 1, followed by a big-endian count, asks for that
// number of datagrams of 64 bytes. 2 starts a flood of 64-byte datagrams, which ends after 3 or after five seconds.
// Anything else is taken silently.
//
//     gcc -O2 -Wall -Wextra -o peer peer.c -pthread
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, BACKLOG = 4096, BATCH = 64, DATAGRAM = 64, FLOOD_SECONDS = 5, SINGLE_BYTES = 64 };
enum { FRAME = 64, FRAME_SIZE = 4 + FRAME, FRAMES = CHUNK / FRAME_SIZE * FRAME_SIZE };

struct connection {
  int socket;
  char job;
  char *pending;  // bytes to echo that did not fit into the socket, or NULL
  size_t pending_start, pending_end;
  size_t position;  // bytes of `frames` that were sent last
};

static int poller, listener, unix_listener, datagrams;
static char frames[FRAMES];

static void require(int succeeded, const char *what) {
  if (succeeded) return;
  perror(what);
  exit(1);
}

static void watch(int operation, struct connection *connection, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  require(epoll_ctl(poller, operation, connection->socket, &event) == 0, "epoll_ctl");
}

static void end(struct connection *connection) {
  close(connection->socket);
  free(connection->pending);
  free(connection);
}

static void accept_all(int from) {
  for (;;) {
    int socket = accept4(from, NULL, NULL, SOCK_NONBLOCK);
    if (socket < 0 && errno == EAGAIN) return;
    // Without this check, a peer that is out of descriptors would spoil the measurement unnoticed.
    require(socket >= 0 || (errno != EMFILE && errno != ENFILE), "accept");
    if (socket < 0) continue;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct connection *connection = calloc(1, sizeof *connection);
    require(connection != NULL, "calloc");
    connection->socket = socket;
    watch(EPOLL_CTL_ADD, connection, EPOLLIN);
  }
}

/** Sends as many bytes as fit. The rest waits, and nothing is read until it has been sent. */
static int echo(struct connection *connection, const char *bytes, size_t length) {
  ssize_t sent = length ? send(connection->socket, bytes, length, MSG_NOSIGNAL) : 0;
  if (sent < 0 && errno != EAGAIN) return 0;
  size_t gone = sent < 0 ? 0 : (size_t)sent;
  if (gone == length) return 1;
  connection->pending = malloc(length - gone);
  require(connection->pending != NULL, "malloc");
  memcpy(connection->pending, bytes + gone, length - gone);
  connection->pending_start = 0;
  connection->pending_end = length - gone;
  watch(EPOLL_CTL_MOD, connection, EPOLLOUT);
  return 1;
}

static int send_pending(struct connection *connection) {
  ssize_t sent = send(connection->socket, connection->pending + connection->pending_start,
                      connection->pending_end - connection->pending_start, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN;
  connection->pending_start += (size_t)sent;
  if (connection->pending_start < connection->pending_end) return 1;
  free(connection->pending);
  connection->pending = NULL;
  watch(EPOLL_CTL_MOD, connection, EPOLLIN);
  return 1;
}

/** Sends frames, and goes on with the byte behind the last one that fitted. */
static int send_frames(struct connection *connection) {
  size_t position = connection->position;
  ssize_t sent = send(connection->socket, frames + position, FRAMES - position, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN;
  connection->position = (position + (size_t)sent) % FRAMES;
  return 1;
}

/** Returns 1 if the connection goes on, and 0 if it has ended. */
static int serve(struct connection *connection, uint32_t events) {
  static char buffer[CHUNK];
  static const char generated[CHUNK];
  if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) return 0;
  if (connection->job == 'g') {
    ssize_t sent = send(connection->socket, generated, CHUNK, MSG_NOSIGNAL);
    return sent >= 0 || errno == EAGAIN;
  }
  if (connection->job == 'f') return send_frames(connection);
  if (connection->job == 'b') {
    for (int left = SINGLE_BYTES; left > 0; left--)
      if (send(connection->socket, generated, 1, MSG_NOSIGNAL) < 0) return errno == EAGAIN;
    return 1;
  }
  if (connection->pending) return send_pending(connection);
  // MSG_TRUNC drops the bytes in the kernel: the sender is measured, not the copy into this program.
  int flags = connection->job == 's' ? MSG_TRUNC : 0;
  ssize_t received = recv(connection->socket, buffer, CHUNK, flags);
  if (received <= 0) return received < 0 && errno == EAGAIN;
  if (connection->job == 's') return 1;
  if (connection->job == 'e') return echo(connection, buffer, (size_t)received);
  connection->job = buffer[0];
  if (connection->job == 'n') watch(EPOLL_CTL_MOD, connection, EPOLLRDHUP);
  if (strchr("gbf", connection->job))
    watch(EPOLL_CTL_MOD, connection, EPOLLOUT | EPOLLRDHUP);
  if (connection->job == 'e') return echo(connection, buffer + 1, (size_t)received - 1);
  return strchr("gsbfn", connection->job) != NULL;
}

_Noreturn static void *serve_connections(void *unused) {
  (void)unused;
  struct epoll_event events[256];
  for (;;) {
    int count = epoll_wait(poller, events, 256, -1);
    for (int index = 0; index < count; index++) {
      struct connection *connection = events[index].data.ptr;
      int socket = connection->socket;
      if (socket == listener || socket == unix_listener) accept_all(socket);
      else if (!serve(connection, events[index].events)) end(connection);
    }
  }
}

static void send_datagrams(struct sockaddr_in *to, unsigned count) {
  static char bytes[DATAGRAM];
  struct iovec part = {bytes, DATAGRAM};
  struct mmsghdr batch[BATCH];
  for (int index = 0; index < BATCH; index++)
    batch[index] = (struct mmsghdr){.msg_hdr = {to, sizeof *to, &part, 1, NULL, 0, 0}};
  while (count > 0) {
    int sent = sendmmsg(datagrams, batch, count < BATCH ? count : BATCH, 0);
    if (sent < 0) return;
    count -= (unsigned)sent;
  }
}

static int ends_flood(const struct sockaddr_in *receiver) {
  char first;
  struct sockaddr_in from;
  socklen_t length = sizeof from;
  while (recvfrom(datagrams, &first, 1, MSG_DONTWAIT, (struct sockaddr *)&from, &length) >= 0)
    if (first == 3 && from.sin_port == receiver->sin_port) return 1;
  return 0;
}

static void flood(struct sockaddr_in *receiver) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  for (time_t last = now.tv_sec + FLOOD_SECONDS; now.tv_sec < last && !ends_flood(receiver);) {
    send_datagrams(receiver, BATCH);
    clock_gettime(CLOCK_MONOTONIC, &now);
  }
}

_Noreturn static void *serve_datagrams(void *unused) {
  (void)unused;
  static unsigned char buffer[64 * 1024];
  for (;;) {
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t received =
        recvfrom(datagrams, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
    if (received < 1) continue;
    if (buffer[0] == 0)
      sendto(datagrams, buffer, (size_t)received, 0, (struct sockaddr *)&from, length);
    if (buffer[0] == 1 && received >= 5) {
      uint32_t count;
      memcpy(&count, buffer + 1, sizeof count);
      send_datagrams(&from, ntohl(count));
    }
    if (buffer[0] == 2) flood(&from);
  }
}

static int bind_loopback(int type) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int bound = socket(AF_INET, type, 0);
  require(bind(bound, (struct sockaddr *)&address, sizeof address) == 0, "bind");
  return bound;
}

/** Binds an abstract name: its first byte is NUL, and its length says where it ends. */
static int bind_name(int port) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "sockets-bench-%d", port);
  int bound = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
  require(bind(bound, (struct sockaddr *)&address, size) == 0, "bind");
  return bound;
}

static int port_of(int bound) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  getsockname(bound, (struct sockaddr *)&address, &length);
  return ntohs(address.sin_port);
}

int main(void) {
  struct rlimit descriptors;
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);

  for (int at = 0; at < FRAMES; at += FRAME_SIZE) frames[at + 3] = FRAME;
  datagrams = bind_loopback(SOCK_DGRAM);
  listener = bind_loopback(SOCK_STREAM | SOCK_NONBLOCK);
  require(listen(listener, BACKLOG) == 0, "listen");
  unix_listener = bind_name(port_of(listener));
  require(listen(unix_listener, BACKLOG) == 0, "listen");
  poller = epoll_create1(0);
  watch(EPOLL_CTL_ADD, &(struct connection){.socket = listener}, EPOLLIN);
  watch(EPOLL_CTL_ADD, &(struct connection){.socket = unix_listener}, EPOLLIN);

  pthread_t thread;
  require(pthread_create(&thread, NULL, serve_connections, NULL) == 0, "pthread_create");
  require(pthread_create(&thread, NULL, serve_datagrams, NULL) == 0, "pthread_create");
  printf("%d %d\n", port_of(listener), port_of(datagrams));
  fflush(stdout);
  for (char byte; read(STDIN_FILENO, &byte, 1) > 0;);
  return 0;
}
