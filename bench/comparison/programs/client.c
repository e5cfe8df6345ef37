// The worker that shows the physical limit: the same work by system calls and nothing else, one call a message, or one
// for 64 datagrams if they are under way together.
//
// It takes the same orders as the other workers. It answers a line `c work noDelay size connections milliseconds tcp
// udp unix` with `amount milliseconds`. It ignores the last number.
//
//     gcc -O2 -Wall -Wextra -o client client.c
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 1024 * 1024, ROOM = 128 * 1024, RECEIVED = 4 * 1024 * 1024, SINGLES = 16 * 1024 };
enum { SENDS = 256, ROUND_TRIPS = 64, CONNECTS = 16, AT_ONCE = 64 };

struct order {
  char work[32];
  int no_delay, size, connections, tcp, udp;
};

static char message[MESSAGE], buffer[ROOM];
static int *sockets, datagrams, poller;

static void require(int succeeded, const char *what) {
  if (succeeded) return;
  perror(what);
  exit(1);
}

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET,
      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
      .sin_port = htons((uint16_t)port),
  };
}

static int connect_to(int port, int no_delay) {
  struct sockaddr_in address = loopback(port);
  int connected = socket(AF_INET, SOCK_STREAM, 0);
  require(connect(connected, (struct sockaddr *)&address, sizeof address) == 0, "connect");
  setsockopt(connected, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
  return connected;
}

static void send_all(int to, const char *bytes, size_t length) {
  for (size_t sent = 0; sent < length;) {
    ssize_t count = send(to, bytes + sent, length - sent, MSG_NOSIGNAL);
    require(count > 0, "send");
    sent += (size_t)count;
  }
}

static size_t receive(int from, size_t most) {
  ssize_t count = recv(from, buffer, most, 0);
  require(count > 0, "recv");
  return (size_t)count;
}

static void open_all(const struct order *order, char job) {
  sockets = calloc((size_t)order->connections, sizeof *sockets);
  for (int index = 0; index < order->connections; index++) {
    sockets[index] = connect_to(order->tcp, order->no_delay);
    send_all(sockets[index], &job, 1);
  }
}

static void open_datagrams(const struct order *order) {
  struct sockaddr_in own = loopback(0), peer = loopback(order->udp);
  datagrams = socket(AF_INET, SOCK_DGRAM, 0);
  require(bind(datagrams, (struct sockaddr *)&own, sizeof own) == 0, "bind");
  require(connect(datagrams, (struct sockaddr *)&peer, sizeof peer) == 0, "connect");
}

static double sends(const struct order *order) {
  int count = RECEIVED / order->size < SENDS ? RECEIVED / order->size : SENDS;
  for (int left = count; left > 0; left--) send_all(sockets[0], message, (size_t)order->size);
  return count;
}

static double mixed_sends(const struct order *order) {
  (void)order;
  send_all(sockets[0], message, 1);
  send_all(sockets[0], message, MESSAGE);
  return 2;
}

static double sends_on_all(const struct order *order) {
  for (int index = 0; index < order->connections; index++)
    send_all(sockets[index], message, (size_t)order->size);
  return order->connections;
}

static double receives(size_t amount, size_t most) {
  size_t received = 0;
  while (received < amount) received += receive(sockets[0], most);
  return (double)received;
}

static double receives_bulk(const struct order *order) {
  (void)order;
  return receives(RECEIVED, strcmp(order->work, "recv") == 0 ? 64 * 1024 : ROOM);
}

static double receives_single_bytes(const struct order *order) {
  (void)order;
  return receives(SINGLES, 4096);
}

static double round_trips_of_one(const struct order *order) {
  for (int left = ROUND_TRIPS; left > 0; left--) {
    send_all(sockets[0], message, (size_t)order->size);
    for (size_t missing = (size_t)order->size; missing > 0;) missing -= receive(sockets[0], ROOM);
  }
  return ROUND_TRIPS;
}

/** Every connection makes one round trip at a time. */
static double round_trips_of_all(const struct order *order) {
  static struct epoll_event ready[256];
  size_t missing = (size_t)order->connections * (size_t)order->size;
  sends_on_all(order);
  while (missing > 0) {
    int count = epoll_wait(poller, ready, 256, -1);
    for (int index = 0; index < count; index++) missing -= receive(ready[index].data.fd, ROOM);
  }
  return order->connections;
}

static double connects(const struct order *order) {
  static const char request[] = {'e', 1};
  for (int left = CONNECTS; left > 0; left--) {
    int connected = connect_to(order->tcp, 1);
    send_all(connected, request, sizeof request);
    receive(connected, 1);
    close(connected);
  }
  return CONNECTS;
}

static double datagram_sends(const struct order *order) {
  for (int left = SENDS; left > 0; left--) send(datagrams, message, (size_t)order->size, 0);
  return SENDS;
}

/** Waits until the peer has taken all datagrams: with its queue full, it would lose the next order. */
static void drain(void) {
  struct timeval patience = {.tv_usec = 10000};
  setsockopt(datagrams, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  do send(datagrams, &(char){0}, 1, 0);
  while (recv(datagrams, buffer, ROOM, 0) < 0);
}

static double datagram_receives(const struct order *order) {
  (void)order;
  for (int left = SENDS; left > 0; left--) receive(datagrams, ROOM);
  return SENDS;
}

static void describe(struct mmsghdr *messages, struct iovec *pieces, char *bytes, size_t length, size_t step) {
  memset(messages, 0, AT_ONCE * sizeof *messages);
  for (int index = 0; index < AT_ONCE; index++) {
    pieces[index] = (struct iovec){bytes + (size_t)index * step, length};
    messages[index].msg_hdr.msg_iov = &pieces[index];
    messages[index].msg_hdr.msg_iovlen = 1;
  }
}

static double datagram_sends_at_once(const struct order *order) {
  struct mmsghdr messages[AT_ONCE];
  struct iovec pieces[AT_ONCE];
  describe(messages, pieces, message, (size_t)order->size, 0);
  for (int left = SENDS; left > 0;) {
    int sent = sendmmsg(datagrams, messages, AT_ONCE < left ? AT_ONCE : left, 0);
    require(sent > 0, "sendmmsg");
    left -= sent;
  }
  return SENDS;
}

static double datagram_receives_at_once(const struct order *order) {
  (void)order;
  struct mmsghdr messages[AT_ONCE];
  struct iovec pieces[AT_ONCE];
  describe(messages, pieces, buffer, ROOM / AT_ONCE, ROOM / AT_ONCE);
  int received = 0;
  while (received < SENDS) {
    int count = recvmmsg(datagrams, messages, AT_ONCE, MSG_WAITFORONE, NULL);
    require(count > 0, "recvmmsg");
    received += count;
  }
  return received;
}

static double datagram_round_trips(const struct order *order) {
  for (int left = ROUND_TRIPS; left > 0; left--) {
    send(datagrams, message, (size_t)order->size, 0);
    receive(datagrams, ROOM);
  }
  return ROUND_TRIPS;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

typedef double (*batch)(const struct order *);

static double do_for(double milliseconds, batch work, const struct order *order, double *amount) {
  double started = now(), elapsed = 0;
  for (*amount = 0; elapsed < milliseconds; elapsed = now() - started) *amount += work(order);
  return elapsed;
}

static const struct {
  const char *work;
  char job;  // of the connections; 0 if the work has none
  batch batch;
} WORKS[] = {
    {"send_awaited", 's', sends},
    {"send_pipelined", 's', sends},
    {"send_mixed", 's', mixed_sends},
    {"send_on_all", 's', sends_on_all},
    {"recv", 'g', receives_bulk},
    {"recv_into", 'g', receives_bulk},
    {"recv_single_bytes", 'b', receives_single_bytes},
    {"echo", 'e', round_trips_of_one},
    {"connect", 0, connects},
    {"send_to", 0, datagram_sends},
    {"send_to_at_once", 0, datagram_sends_at_once},
    {"recv_from", 0, datagram_receives},
    {"recv_from_at_once", 0, datagram_receives_at_once},
    {"udp_echo", 0, datagram_round_trips},
};

static batch open_work(const struct order *order) {
  size_t index = 0, count = sizeof WORKS / sizeof *WORKS;
  while (index < count && strcmp(WORKS[index].work, order->work) != 0) index++;
  require(index < count, "no such work");
  batch work = WORKS[index].batch;
  int is_sink = work == datagram_sends || work == datagram_sends_at_once;
  memset(message, is_sink ? 9 : 0, MESSAGE);
  if (WORKS[index].job) open_all(order, WORKS[index].job);
  else if (work != connects) open_datagrams(order);
  if (work == datagram_receives || work == datagram_receives_at_once) send(datagrams, &(char){2}, 1, 0);
  if (work != round_trips_of_one || order->connections == 1) return work;
  poller = epoll_create1(0);
  for (int index = 0; index < order->connections; index++) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = sockets[index]};
    epoll_ctl(poller, EPOLL_CTL_ADD, sockets[index], &event);
  }
  return round_trips_of_all;
}

static void close_work(const struct order *order) {
  for (int index = 0; sockets && index < order->connections; index++) close(sockets[index]);
  free(sockets);
  sockets = NULL;
  if (strncmp(order->work, "send_to", 7) == 0) drain();
  if (strncmp(order->work, "recv_from", 9) == 0) send(datagrams, &(char){3}, 1, 0);
  if (datagrams) close(datagrams);
  if (poller) close(poller);
  datagrams = poller = 0;
}

int main(void) {
  struct order order;
  double milliseconds, amount;
  while (scanf("%*s %31s %d %d %d %lf %d %d %*d", order.work, &order.no_delay, &order.size,
               &order.connections, &milliseconds, &order.tcp, &order.udp) == 7) {
    batch work = open_work(&order);
    do_for(milliseconds / 4, work, &order, &amount);
    double elapsed = do_for(milliseconds, work, &order, &amount);
    close_work(&order);
    printf("%f %f\n", amount, elapsed);
    fflush(stdout);
  }
  return 0;
}
