// A small HTTP service to plant changes in: `cc -O2 -pthread -o api server.c`, head with -DPLANT_….
//
// A body begins with `items=N`; the work is so many passes over the body. The answer has the number
// of items, so that a wrong one shows. APP_PORT is the port to listen on.
//
// With -DTABLE most of a request is spent in a table of the file, whose pages lie well or badly.
//
// With -DPLANT_TRUTH one program is both sides: its first argument says whether it plants, its second how long its
// store takes, in microseconds. What the plant takes is kept in a file of each launch, in the folder that PLANT_TRUTH
// names: the side that plants nothing tells what measuring costs.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef PLANT_CPU_3
enum { ROUNDS = 103 };
#elif defined PLANT_IMPROVEMENT
enum { ROUNDS = 92 };
#else
enum { ROUNDS = 100 };
#endif

static atomic_ulong served;
static volatile uint64_t sink;

#ifdef PLANT_UNUSED_FUNCTION
#define STEP(n) x ^= x << ((n) % 13 + 1); x += k * (n); if (x % ((n) + 2) == 1) k ^= x;
#define TEN(n) STEP(n) STEP(n + 1) STEP(n + 2) STEP(n + 3) STEP(n + 4) STEP(n + 5) STEP(n + 6) STEP(n + 7) STEP(n + 8) STEP(n + 9)
__attribute__((used, noinline)) uint64_t cold(uint64_t x, uint64_t k) {
    TEN(1) TEN(11) TEN(21) TEN(31) TEN(41) TEN(51) TEN(61)
    return x;
}
#endif

static long store_us = 300;

static void pause_us(long us) {
    struct timespec time = { us / 1000000, us % 1000000 * 1000 };
    nanosleep(&time, NULL);
}

#ifdef PLANT_TRUTH
static struct { atomic_ullong wall_ns, cpu_ns, queued_ns, requests; } *truth;
static int planted;
// Of this thread: its account of the run queue.
static _Thread_local int queue_file = -1;

static uint64_t clock_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// Shared with a file, so that it is there however the process ends.
static void map_truth(void) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s-%020llu", getenv("PLANT_TRUTH"), planted ? "head" : "base",
        (unsigned long long)clock_ns(CLOCK_MONOTONIC));
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    truth = ftruncate(file, sizeof *truth) ? MAP_FAILED
        : mmap(NULL, sizeof *truth, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (truth == MAP_FAILED) perror("PLANT_TRUTH"), _exit(1);
}

// How long this thread was ready to run and had no processor.
static uint64_t queued_ns(void) {
    char text[96] = "";
    unsigned long long queued = 0;
    if (queue_file < 0) queue_file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (pread(queue_file, text, sizeof text - 1, 0) > 0) sscanf(text, "%*u %llu", &queued);
    return queued;
}

#define MEASURED(...) do { \
    uint64_t queued = queued_ns(), wall_ns = clock_ns(CLOCK_MONOTONIC), cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID); \
    __VA_ARGS__; \
    atomic_fetch_add(&truth->cpu_ns, clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns); \
    atomic_fetch_add(&truth->wall_ns, clock_ns(CLOCK_MONOTONIC) - wall_ns); \
    atomic_fetch_add(&truth->queued_ns, queued_ns() - queued); \
} while (0)
#define PLANTED(...) MEASURED(if (planted) { __VA_ARGS__; })
#else
enum { planted = 1 };
#define PLANTED(...) __VA_ARGS__
#endif

static uint64_t pass(const char *body, size_t bytes, uint64_t x) {
    uint64_t word;
    for (size_t i = 0; i + sizeof word <= bytes; i += sizeof word) {
        memcpy(&word, body + i, sizeof word);
        x = (x ^ word) * 1099511628211ull;
    }
    return x;
}

#ifdef TABLE
// A table within the program's file, of most of a second-level cache of 1 MiB: how many of its lines stay there depends
// on where the pages of the file lie. Each line says nothing, but has to be read to know the next.
enum { LINES = 768 * 16, STEPS = 200000 };
static const struct { uint32_t next, rest[15]; } table[LINES] = { { .next = 1 }, [LINES - 1] = { .next = 1 } };

static uint64_t walk(uint32_t at) {
    uint64_t sum = 0;
    for (int i = 0; i < STEPS; i++) {
        at = at * 1664525u + 1013904223u + (table[((uint64_t)at * LINES) >> 32].next & 2);
        sum += at;
    }
    return sum;
}
#endif

#ifdef PLANT_CHURN
// Pages that are mapped, touched and given back: the system's work, not the program's.
static void churn(void) {
    size_t room = 1 << 20;
    char *pages = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < room; i += 4096) pages[i] = 1;
    munmap(pages, room);
}
#endif

#ifdef PLANT_SYNC
// So much, past the page cache, that the device takes longer than the system's own work.
static void sync_file(void) {
    static _Alignas(4096) char bytes[1 << 18];
    static atomic_int file = -1;
    if (file < 0) file = open("synced", O_WRONLY | O_CREAT | O_DIRECT, 0600);
    if (pwrite(file, bytes, sizeof bytes, 0) < 0 || fsync(file)) perror("synced");
}
#endif

static void work(const char *body, size_t bytes, unsigned long items, unsigned long number) {
    uint64_t x = number;
    int rounds = ROUNDS;
#ifdef PLANT_ONE_IN_TEN_TWICE
    if (number % 10 == 0) rounds *= 2;
#endif
#ifdef PLANT_LARGE_TWICE
    if (bytes > 100000) rounds *= 2;
#endif
    for (int i = 0; i < rounds; i++) x = pass(body, bytes, x);
#ifdef PLANT_QUADRATIC
    for (size_t i = 0; i < bytes; i += 512)
        for (size_t j = 0; j < bytes; j += 512) x = (x ^ (i * j)) * 1099511628211ull;
#endif
#ifdef PLANT_SPIN_10
    PLANTED(for (int i = 0; i < rounds / 10; i++) x = pass(body, bytes, x));
#endif
#ifdef TABLE
    x += walk((uint32_t)number);
#endif
    x += items;
    sink = x;
#ifdef PLANT_CHURN
    PLANTED(churn());
#endif
#ifdef PLANT_MEMORY
    size_t room = bytes * 64;
    char *copy = malloc(room);
    memset(copy, (int)x, room);
    sink += (uint64_t)copy[x % room];
    free(copy);
#endif
#ifdef PLANT_LEAK_16K
    char *lost = malloc(16384);
    memset(lost, 1, 16384);
    sink += (uint64_t)lost[x % 16384];
#endif
}

#ifdef PLANT_LOCK
static pthread_mutex_t store = PTHREAD_MUTEX_INITIALIZER;
#endif

// Stands for a store that takes 300 us to answer, or another time, any number of requests at once. The lock is held for
// the first third of a longer one.
static void ask_store(void) {
    long first = store_us > 900 ? store_us / 3 : 300;
#ifdef PLANT_LOCK
    PLANTED(pthread_mutex_lock(&store));
#endif
    pause_us(first);
#ifdef PLANT_LOCK
    if (planted) pthread_mutex_unlock(&store);
#endif
    if (store_us > first) pause_us(store_us - first);
}

static void respond(int socket, int status, const char *answer, int closes) {
    char text[8192];
    int bytes = snprintf(text, sizeof text,
        "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%s", status,
        strlen(answer), closes ? "Connection: close\r\n" : "", answer);
    if (send(socket, text, (size_t)bytes, MSG_NOSIGNAL) < 0) return;
}

static int serve_one(int socket, const char *body, size_t bytes) {
    unsigned long number = atomic_fetch_add(&served, 1) + 1, items = 0;
    int closes = 0, status = 200;
    sscanf(body, "items=%lu", &items);
#ifdef PLANT_FIRST_ANSWER
    if (number == 1) pause_us(1500000);
#endif
    work(body, bytes, items, number);
    ask_store();
#ifdef PLANT_STALL
    if (number % 100 == 0) pause_us(30000);
#endif
#ifdef PLANT_SLEEP_1MS
    PLANTED(pause_us(1000));
#endif
#ifdef PLANT_SYNC
    PLANTED(sync_file());
#endif
#ifdef PLANT_TRUTH
    atomic_fetch_add(&truth->requests, 1);
#endif
#ifdef PLANT_WRONG
    if (number % 1000 == 0) items++;
#endif
#ifdef PLANT_FAILS
    if (number % 500 == 0) status = 500;
#endif
#ifdef PLANT_CLOSE
    closes = 1;
#endif
    char answer[4096];
    int at = snprintf(answer, sizeof answer, "{\"items\": %lu, \"checks\": [", items);
    for (int i = 0; i < 100; i++) at += snprintf(answer + at, sizeof answer - (size_t)at, "%d, ", i * 37 % 100);
    at += snprintf(answer + at, sizeof answer - (size_t)at, "0]");
#ifdef PLANT_BYTES
    at += snprintf(answer + at, sizeof answer - (size_t)at, ", \"note\": \"%0120d\"", 7);
#endif
    snprintf(answer + at, sizeof answer - (size_t)at, "}");
    respond(socket, status, answer, closes);
    return !closes;
}

static void *serve(void *argument) {
    int socket = (int)(intptr_t)argument, yes = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    size_t room = 1 << 16, have = 0;
    char *text = malloc(room + 1);
#ifdef PLANT_QUOTA
    uint64_t queued = queued_ns();
#endif
    for (;;) {
        char *end = NULL;
        size_t whole = 0, length = 0;
        for (;;) {
            text[have] = 0;
            if (!end && (end = strstr(text, "\r\n\r\n"))) {
                char *field = strcasestr(text, "\r\ncontent-length:");
                length = field && field < end ? strtoul(field + 17, NULL, 10) : 0;
                whole = (size_t)(end + 4 - text) + length;
                if (whole + 1 > room) {
                    size_t at = (size_t)(end - text);
                    room = whole + (1 << 16);
                    text = realloc(text, room + 1);
                    end = text + at;
                }
            }
            if (end && have >= whole) break;
            if (have == room) goto done;
            ssize_t got = recv(socket, text + have, room - have, 0);
            if (got <= 0) goto done;
            have += (size_t)got;
        }
        char *body = end + 4, after = text[whole];
        text[whole] = 0;
        int stays = 1;
        if (!strncmp(text, "GET", 3)) respond(socket, 200, "{}", 0);
        else stays = serve_one(socket, body, length);
#ifdef PLANT_QUOTA
        // Planted from without: all that this thread waits for a processor, between requests as well.
        atomic_fetch_add(&truth->queued_ns, queued_ns() - queued);
        queued = queued_ns();
#endif
        text[whole] = after;
        memmove(text, text + whole, have -= whole);
        if (!stays) break;
    }
done:
#ifdef PLANT_TRUTH
    if (queue_file >= 0) close(queue_file);
#endif
    free(text);
    close(socket);
    return NULL;
}

static void end(int number) {
    (void)number;
    _exit(0);
}

int main(int words, char **word) {
    signal(SIGTERM, end);
#ifdef TABLE
    // So that a file can be timed alone.
    if (words > 1 && !strcmp(word[1], "walk")) {
        for (int i = 0; i < 20; i++) sink += walk((uint32_t)i);
        return 0;
    }
#endif
    if (words > 2) store_us = atol(word[2]);
#ifdef PLANT_TRUTH
    planted = words > 1 && word[1][0] == '1';
    map_truth();
#endif
#ifdef PLANT_START
    pause_us(2000000);
#endif
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(getenv("APP_PORT"))) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 512)) return perror("listen"), 1;
    for (;;) {
        int socket = accept(listener, NULL, NULL);
        pthread_t thread;
        if (socket >= 0 && !pthread_create(&thread, NULL, serve, (void *)(intptr_t)socket)) pthread_detach(thread);
    }
}
