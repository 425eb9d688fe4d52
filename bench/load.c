// Callers in a closed loop: each connection sends its request again as soon as its answer is whole.
// Usage: load PORT CONNECTIONS SECONDS BODY_FILE [HEADER_FILE|- [SPREAD_MS]]   (whole header lines)
// Prints one line of JSON: answers, errors, events, percentiles. For a stream it also notes the time to the first event, to
// the first event with text in it and, from the time each event carries, how late it came. The first requests are spread
// evenly over SPREAD_MS: callers who all begin in one instant measure a queue of their own making.
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

enum { IN = 1 << 18, SAMPLES = 1 << 21 };
typedef struct {
  int fd, have, scanned, head, length, first, said;
  uint64_t began;
  char *in;
} Conn;
typedef struct {
  uint32_t *at;
  int count;
} Samples;

static Samples whole, first, text, late;
static char *request;
static int request_len, port;
static long answers, bad, errors, events;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void note(Samples *s, uint64_t ns) {
  if (!s->at) s->at = malloc(SAMPLES * 4);
  s->at[s->count++ % SAMPLES] = ns / 1000;
}

static int order(const void *a, const void *b) {
  return (*(uint32_t *)a > *(uint32_t *)b) - (*(uint32_t *)a < *(uint32_t *)b);
}

static uint32_t at(Samples *s, double share) {
  int n = s->count < SAMPLES ? s->count : SAMPLES;
  if (!n) return 0;
  qsort(s->at, n, 4, order);
  return s->at[(int)(share * (n - 1))];
}

static void dial(Conn *c, int ep) {
  int one = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c->fd, (void *)&to, sizeof to)) perror("connect"), exit(1);
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
}

static void ask(Conn *c) {
  c->have = c->scanned = c->head = c->first = c->said = 0;
  c->length = -1;
  c->began = now_ns();
  if (send(c->fd, request, request_len, MSG_NOSIGNAL) != request_len) errors++;
}

static void scan(Conn *c, uint64_t now) {
  char *p = c->in + c->scanned, *end = c->in + c->have;
  for (char *line; (p = memmem(p, end - p, "data: {", 7)) && (line = memchr(p, '\n', end - p)); p = line) {
    char *made = memmem(p, line - p, "\"created\":", 10);
    events++;
    if (!c->first++) note(&first, now - c->began);
    if (!c->said) {
      char *word = memmem(p, line - p, "\"content\":\"", 11);
      if (word && word[11] != '"') c->said = 1, note(&text, now - c->began);
    }
    if (made) note(&late, now - strtoull(made + 10, 0, 10));
    c->scanned = line - c->in;
  }
}

static int complete(Conn *c) {  // 1: whole, 0: more must come
  uint64_t now = now_ns();
  c->in[c->have] = 0;
  if (!c->head) {
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end) return 0;
    c->head = c->scanned = end + 4 - c->in;
    char *field = strcasestr(c->in, "\r\ncontent-length:");
    if (field && field < end) c->length = atoi(field + 17);
  }
  int done;
  if (c->length >= 0) {
    done = c->have >= c->head + c->length;
  } else {
    scan(c, now);
    done = c->have >= 5 && !memcmp(c->in + c->have - 5, "0\r\n\r\n", 5);
    if (!done && c->scanned > IN / 2) {
      memmove(c->in + c->head, c->in + c->scanned, c->have - c->scanned);
      c->have -= c->scanned - c->head;
      c->scanned = c->head;
    }
  }
  if (!done) return 0;
  note(&whole, now - c->began);
  if (memcmp(c->in + 9, "200", 3)) bad++; else answers++;
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 5) return fprintf(stderr, "usage: load PORT CONNECTIONS SECONDS BODY_FILE\n"), 2;
  port = atoi(argv[1]);
  int count = atoi(argv[2]), ep = epoll_create1(0);
  double seconds = atof(argv[3]);
  char *body = malloc(1 << 20);
  FILE *file = fopen(argv[4], "rb");
  if (!file) return perror(argv[4]), 1;
  int len = fread(body, 1, 1 << 20, file);
  char more[8192] = "";
  if (argc > 5 && strcmp(argv[5], "-")) {
    FILE *lines = fopen(argv[5], "rb");
    if (!lines) return perror(argv[5]), 1;
    more[fread(more, 1, sizeof more - 1, lines)] = 0;
  }
  request = malloc(len + 1024 + sizeof more);
  request_len = sprintf(request,
                        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: bench\r\nAccept: application/json\r\n"
                        "Accept-Encoding: identity\r\nAuthorization: Bearer bench-credential-0123456789\r\n"
                        "Content-Type: application/json\r\n%sContent-Length: %d\r\n\r\n",
                        port, more, len);
  memcpy(request + request_len, body, len);
  request_len += len;
  Conn *conns = calloc(count, sizeof *conns);
  for (int i = 0; i < count; i++) conns[i].in = malloc(IN + 1), dial(&conns[i], ep);
  struct epoll_event got[256];
  uint64_t spread = argc > 6 ? strtoull(argv[6], 0, 10) * 1000000ull : 0;
  uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), now;
  int asked = 0;
  while ((now = now_ns()) < end) {
    for (; asked < count && now - start >= spread * asked / count; asked++) ask(&conns[asked]);
    int n = epoll_wait(ep, got, 256, asked < count ? 1 : 50);
    for (int i = 0; i < n; i++) {
      Conn *c = got[i].data.ptr;
      ssize_t more = recv(c->fd, c->in + c->have, IN - c->have, MSG_DONTWAIT);
      if (more <= 0) {
        errors++;
        close(c->fd);
        dial(c, ep);
        ask(c);
        continue;
      }
      c->have += more;
      if (complete(c)) ask(c);
    }
  }
  printf("{\"answers\":%ld,\"bad\":%ld,\"errors\":%ld,\"events\":%ld,\"seconds\":%.3f,\"p50_us\":%u,\"p99_us\":%u,"
         "\"first_p50_us\":%u,\"first_p99_us\":%u,\"text_p50_us\":%u,\"text_p99_us\":%u,\"late_p50_us\":%u,\"late_p99_us\":%u}\n",
         answers, bad, errors, events, (now_ns() - start) / 1e9, at(&whole, .5), at(&whole, .99), at(&first, .5),
         at(&first, .99), at(&text, .5), at(&text, .99), at(&late, .5), at(&late, .99));
  return 0;
}
