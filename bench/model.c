// A model server that costs almost nothing: answers any POST with JSON, or with events if the body asks for a stream.
// Usage: model PORT JSON_BYTES EVENTS INTERVAL_US        (INTERVAL_US 0: as fast as the reader reads)
// One thread, epoll, one request at a time on each connection. Every event carries the monotonic time it was made at.
// As vLLM and SGLang do, a stream opens with an event that holds the role alone, and the first word comes right behind it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FD = 16384, IN = 1 << 17, OUT = 1 << 15 };
typedef struct {
  char *in, *out;
  int have, from, to, left, place;  // left: events still to send; place: index in `streams`, -1 if none
  uint64_t due;
} Conn;

static Conn conns[MAX_FD];
static int streams[MAX_FD], stream_count, events;
static uint64_t interval;
static char *json;
static int json_len;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void leave(Conn *c) {
  if (c->place < 0) return;
  streams[c->place] = streams[--stream_count];
  conns[streams[c->place]].place = c->place;
  c->place = -1;
}

static void drop(int fd) {
  leave(&conns[fd]);
  close(fd);
}

static int flush(int fd) {  // 0: fine or full, -1: gone
  Conn *c = &conns[fd];
  while (c->from < c->to) {
    ssize_t n = send(fd, c->out + c->from, c->to - c->from, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) return 0;
    c->from += n;
  }
  c->from = c->to = 0;
  return 0;
}

static void put(Conn *c, const char *data, int len) {
  if (c->to + len > OUT) return;
  memcpy(c->out + c->to, data, len);
  c->to += len;
}

static void chunk(Conn *c, const char *role, const char *text) {
  char data[512], size[16];
  int n = snprintf(data, sizeof data,
                   "data: {\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":%llu,"
                   "\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\"%s\"},"
                   "\"logprobs\":null,\"finish_reason\":null}]}\n\n",
                   (unsigned long long)now_ns(), role, text);
  put(c, size, snprintf(size, sizeof size, "%x\r\n", n));
  put(c, data, n);
  put(c, "\r\n", 2);
}

static void event(Conn *c) {
  static const char *words[] = {" the", " report", " shows", " steady", " growth", " in", " the", " north"};
  if (c->left == events) chunk(c, "\"role\":\"assistant\",", "");
  chunk(c, "", words[c->left & 7]);
  if (--c->left == 0) put(c, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n", 24);
}

static void answer(int fd, const char *body, int len) {
  Conn *c = &conns[fd];
  if (!memmem(body, len, "\"stream\":true", 13)) {
    put(c, json, json_len);
    flush(fd);
    return;
  }
  const char *head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  put(c, head, strlen(head));
  flush(fd);
  c->left = events;
  c->due = now_ns() + interval;
  c->place = stream_count;
  streams[stream_count++] = fd;
}

static int readable(int fd) {
  Conn *c = &conns[fd];
  ssize_t n = recv(fd, c->in + c->have, IN - c->have - 1, MSG_DONTWAIT);
  if (n <= 0) return -1;
  c->have += n;
  c->in[c->have] = 0;
  char *end = strstr(c->in, "\r\n\r\n");
  if (!end) return 0;
  char *field = strcasestr(c->in, "\r\ncontent-length:");
  int len = field && field < end ? atoi(field + 17) : 0, head = end + 4 - c->in;
  if (c->have < head + len) return 0;
  answer(fd, c->in + head, len);
  c->have = 0;
  return 0;
}

static int tick(void) {  // send what is due; the number of milliseconds until the next
  uint64_t now = now_ns(), next = now + 100000000ull;
  for (int i = 0; i < stream_count;) {
    int fd = streams[i];
    Conn *c = &conns[fd];
    while (c->left && c->due <= now && c->to - c->from < OUT / 2) {
      event(c);
      c->due += interval;
      if (!interval) break;
    }
    flush(fd);
    if (c->left == 0 && c->to == 0) {
      leave(c);
      continue;
    }
    if (c->due < next) next = c->due;
    i++;
  }
  return next <= now ? 0 : (int)((next - now) / 1000000);
}

int main(int argc, char **argv) {
  if (argc < 5) return fprintf(stderr, "usage: model PORT JSON_BYTES EVENTS INTERVAL_US\n"), 2;
  int size = atoi(argv[2]), one = 1;
  events = atoi(argv[3]);
  interval = atoll(argv[4]) * 1000ull;
  char *text = malloc(size + 1);
  for (int i = 0; i < size; i++) text[i] = "the quarterly report shows steady growth "[i % 41];
  text[size] = 0;
  json = malloc(size + 600);
  char *body = malloc(size + 400);
  int n = sprintf(body,
                  "{\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion\",\"created\":1790000000,\"model\":\"bench\","
                  "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}],"
                  "\"usage\":{\"prompt_tokens\":150,\"completion_tokens\":170,\"total_tokens\":320}}",
                  text);
  json_len = sprintf(json, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nx-request-id: req_0123456789\r\n\r\n%s", n, body);
  int listener = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_create1(0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (void *)&at, sizeof at) || listen(listener, 4096)) return perror("bind"), 1;
  struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, got[256];
  epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
  for (;;) {
    int count = epoll_wait(ep, got, 256, stream_count ? tick() : -1);
    for (int i = 0; i < count; i++) {
      int fd = got[i].data.fd;
      if (fd != listener) {
        if (readable(fd)) drop(fd);
        continue;
      }
      fd = accept(listener, 0, 0);
      if (fd < 0 || fd >= MAX_FD) continue;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      Conn *c = &conns[fd];
      if (!c->in) c->in = malloc(IN), c->out = malloc(OUT < json_len * 2 ? json_len * 2 : OUT);
      c->have = c->from = c->to = c->left = 0;
      c->place = -1;
      e = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
      epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    }
  }
}
