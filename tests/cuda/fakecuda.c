/* A CUDA driver without a GPU, for tests.

   Device memory is memory that the host cannot touch but while queued work runs. Kernels are
   functions of the host, registered by name. Streams are lazy: work runs when somebody waits for
   it, so that a wait that is missing shows as an old value. Captures and graphs are recorded and
   replayed. Where the real driver would let something pass that goes wrong elsewhere, this one
   refuses it: asynchronous copies of host memory that is not pinned, module loads in a capture.

     fake_set("devices" | "memory" | "version" | "record", value)
     fake_fail("cuMemAlloc_v2", 2, 3, 1) the third call from now, and no more than that one,
                                         returns 2, and does nothing;
                                         "kernel": the third kernel that runs ends with this code
     fake_register(name, function, parameters, threads)
     fake_count("cuGraphLaunch")         calls so far

   cc -O1 -shared -fPIC -o libcuda.so.1 fakecuda.c -lpthread */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef int Result;
typedef uint64_t Address;
typedef void (*Native)(int64_t *args, int64_t lo, int64_t hi);
enum {
  OK = 0, INVALID = 1, NO_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, BAD_DEVICE = 101,
  BAD_IMAGE = 200, NO_CONTEXT = 201, UNSUPPORTED_PTX = 222, BAD_HANDLE = 400, NOT_FOUND = 500,
  NOT_READY = 600, ILLEGAL_ADDRESS = 700, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901,
  CAPTURE_WRONG = 902
};
enum { LAUNCH, COPY, FILL, RECORD, WAIT, GRAPH };
#define WINDOW (1ull << 33)
#define MOST_DEVICES 8
#define MOST 65536

typedef struct { char name[200]; Native code; int parameters, threads; } Function;
typedef struct Graph Graph;
typedef struct Stream Stream;
typedef struct { Stream *stream; int pending; uint64_t when; } Event;
typedef struct {
  int kind, width, value;
  Address to, from;
  size_t n;
  Function *function;
  int64_t *words;
  unsigned grid;
  Event *event;
  Graph *graph;
} Op;
struct Graph { Op *ops; int n, room, is_dead, is_broken; };
struct Stream { Graph queue, *capture; int device, is_dead, is_running; };

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static struct { Address at; size_t n; int device, is_live; } blocks[MOST];
static struct { char *at; size_t n; } pinned[MOST];
static Function registered[8192];
static Stream streams[1024];
static struct { char name[48]; long n; } counts[128];
static struct { char name[48]; int code, nth, times; } failure;
static char *window, contexts[MOST_DEVICES];
static size_t used[MOST_DEVICES], memory = 1ull << 32, top = 4096;
static int nblocks, npinned, nregistered, nstreams = MOST_DEVICES, ncounts, capturing, lost, initialized;
static int devices = 1, version = 13000, record;
static uint64_t clock_ns = 1000;
static __thread void *current;

/* --- for tests --- */
void fake_set(const char *what, long value) {
  if (!strcmp(what, "devices")) devices = value;
  if (!strcmp(what, "memory")) memory = value;
  if (!strcmp(what, "version")) version = value;
  if (!strcmp(what, "record")) record = value;
}
void fake_fail(const char *name, int code, int nth, int times) {
  snprintf(failure.name, sizeof failure.name, "%s", name);
  failure.code = code, failure.nth = nth, failure.times = times;
}
void fake_register(const char *name, Native code, int parameters, int threads) {
  Function *f = &registered[nregistered++];
  snprintf(f->name, sizeof f->name, "%s", name);
  f->code = code, f->parameters = parameters, f->threads = threads;
}
long fake_count(const char *name) {
  for (int k = 0; k < ncounts; k++)
    if (!strcmp(counts[k].name, name)) return counts[k].n;
  return 0;
}
long fake_used(void) {
  size_t all = 0;
  for (int k = 0; k < MOST_DEVICES; k++) all += used[k];
  return all;
}

/* --- every call --- */
static Result fails(const char *name) {
  if (!failure.times || strcmp(failure.name, name) || --failure.nth > 0) return OK;
  failure.times--;
  return failure.code;
}
static Result begin(const char *name, int needs_context) {
  pthread_mutex_lock(&lock);
  int k = 0;
  while (k < ncounts && strcmp(counts[k].name, name)) k++;
  if (k == ncounts) snprintf(counts[ncounts++].name, 48, "%s", name);
  counts[k].n++;
  Result code = fails(name);
  if (code == 700 || (code >= 714 && code <= 720)) lost = code;
  if (code) return code;
  if (needs_context && !initialized) return NOT_INITIALIZED;
  if (needs_context && lost) return lost;
  return needs_context && !current ? NO_CONTEXT : OK;
}
static Result end(Result code) { pthread_mutex_unlock(&lock); return code; }
#define BEGIN(needs) { Result code_ = begin(__func__, needs); if (code_) return end(code_); }
#define REFUSE(condition, code) if (condition) return end(code);
#define NOT_CAPTURED(s) if (capturing) { spoil(s); return end(CAPTURE_UNSUPPORTED); }
static int device(void) { return (char *)current - contexts; }

/* --- queues --- */
/* The first streams are the devices' own. */
static Stream *stream_of(void *handle) { return handle ? handle : &streams[device()]; }
static void spoil(Stream *s) {
  for (int k = 0; k < nstreams; k++)
    if (streams[k].capture && (!s || s == &streams[k])) streams[k].capture->is_broken = 1;
}
static Op *push(void *handle, int kind) {
  Stream *s = stream_of(handle);
  Graph *g = s->capture ? s->capture : &s->queue;
  if (g->n == g->room) g->ops = realloc(g->ops, (g->room = 2 * g->room + 16) * sizeof(Op));
  Op *op = memset(&g->ops[g->n++], 0, sizeof(Op));
  op->kind = kind;
  return op;
}
static void open_window(int on) {
  if (window) mprotect(window, WINDOW, on ? PROT_READ | PROT_WRITE : PROT_NONE);
}
static int is_device(Address a) { return window && a >= (Address)window && a < (Address)window + WINDOW; }
static int has_room(Address a, size_t n) {
  for (int k = 0; k < nblocks; k++)
    if (blocks[k].is_live && a >= blocks[k].at && a + n <= blocks[k].at + blocks[k].n) return 1;
  return 0;
}
static int is_pinned(const void *a, size_t n) {
  for (int k = 0; k < npinned; k++)
    if (pinned[k].at && (char *)a >= pinned[k].at && (char *)a + n <= pinned[k].at + pinned[k].n) return 1;
  return 0;
}
static void drain(Stream *s);
static void run(Graph *g);
static void launch(Op *op) {
  Function *f = op->function;
  for (int k = 0; k < f->parameters; k++)
    if (is_device(op->words[k]) && !has_room(op->words[k], 0)) lost = ILLEGAL_ADDRESS;
  Result code = fails("kernel");
  if (code) lost = code;
  if (lost || !f->code) return;
  int64_t *words = malloc(8 * f->parameters + 8);
  memcpy(words, op->words, 8 * f->parameters);
  f->code(words, 0, op->grid);
  free(words);
}
static void fill(Op *op) {
  if (!has_room(op->to, op->n * op->width)) { lost = ILLEGAL_ADDRESS; return; }
  for (size_t k = 0; k < op->n; k++)
    if (op->width == 1) ((uint8_t *)op->to)[k] = op->value;
    else ((uint16_t *)op->to)[k] = op->value;
}
static void copy(Op *op) {
  int is_bad = is_device(op->to) && !has_room(op->to, op->n);
  is_bad |= is_device(op->from) && !has_room(op->from, op->n);
  if (is_bad) lost = ILLEGAL_ADDRESS;
  else memmove((void *)op->to, (void *)op->from, op->n);
}
static void run(Graph *g) {
  for (int k = 0; k < g->n && !lost; k++) {
    Op *op = &g->ops[k];
    clock_ns += 1000;
    open_window(1);
    if (op->kind == LAUNCH) launch(op);
    if (op->kind == COPY) copy(op);
    if (op->kind == FILL) fill(op);
    if (op->kind == GRAPH) run(op->graph);
    if (op->kind == RECORD) op->event->when = clock_ns, op->event->pending--;
    if (op->kind == WAIT && op->event->pending) drain(op->event->stream);
    open_window(0);
  }
}
static void drain(Stream *s) {
  if (s->is_running) return;
  s->is_running = 1;
  run(&s->queue);
  s->is_running = 0;
  for (int k = 0; k < s->queue.n; k++) free(s->queue.ops[k].words);
  s->queue.n = 0;
}

/* --- driver and devices --- */
Result cuInit(unsigned flags) {
  BEGIN(0);
  initialized = devices > 0;
  return end(initialized ? OK : NO_DEVICE);
}
Result cuDriverGetVersion(int *out) { BEGIN(0); *out = version; return end(OK); }
Result cuDeviceGetCount(int *out) { BEGIN(0); *out = devices; return end(initialized ? OK : NOT_INITIALIZED); }
Result cuDeviceGet(int *out, int k) {
  BEGIN(0);
  *out = k;
  return end(!initialized ? NOT_INITIALIZED : k >= 0 && k < devices ? OK : BAD_DEVICE);
}
Result cuDeviceGetName(char *out, int n, int d) { BEGIN(0); snprintf(out, n, "Fake GPU %d", d); return end(OK); }
Result cuDeviceTotalMem_v2(size_t *out, int d) { BEGIN(0); *out = memory; return end(OK); }
Result cuDeviceGetAttribute(int *out, int which, int d) {
  BEGIN(0);
  static const int known[][2] = {{1, 1024}, {8, 49152}, {10, 32}, {13, 1980000}, {16, 132},
    {36, 2619000}, {37, 5120}, {38, 52428800}, {39, 2048}, {75, 9}, {76, 0}, {82, 65536}, {97, 232448}};
  for (unsigned k = 0; k < sizeof known / sizeof *known; k++)
    if (known[k][0] == which) { *out = known[k][1]; return end(OK); }
  return end(INVALID);
}
Result cuDevicePrimaryCtxRetain(void **out, int d) { BEGIN(0); *out = &contexts[d]; return end(initialized ? OK : NOT_INITIALIZED); }
Result cuCtxSetCurrent(void *context) { BEGIN(0); current = context; return end(OK); }
Result cuCtxSynchronize(void) {
  BEGIN(1);
  NOT_CAPTURED(NULL);
  for (int k = 0; k < nstreams; k++)
    if ((k < MOST_DEVICES ? k : streams[k].device) == device()) drain(&streams[k]);
  return end(lost);
}
/* --- memory --- */
Result cuMemGetInfo_v2(size_t *left, size_t *all) {
  BEGIN(1);
  *all = memory, *left = memory - used[device()];
  return end(OK);
}
Result cuMemAlloc_v2(Address *out, size_t n) {
  BEGIN(1);
  NOT_CAPTURED(NULL);
  REFUSE(!n, INVALID);
  REFUSE(used[device()] + n > memory || top + n + 8192 > WINDOW || nblocks == MOST, NO_MEMORY);
  if (!window) window = mmap(NULL, WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  *out = (Address)window + top;
  top += (n + 511) / 512 * 512 + 512;
  blocks[nblocks].at = *out, blocks[nblocks].n = n, blocks[nblocks].device = device();
  blocks[nblocks++].is_live = 1;
  used[device()] += n;
  return end(OK);
}
Result cuMemFree_v2(Address a) {
  BEGIN(1);
  NOT_CAPTURED(NULL);
  for (int k = 0; k < nblocks; k++)
    if (blocks[k].at == a && blocks[k].is_live) {
      for (int s = 0; s < nstreams; s++) drain(&streams[s]); /* as the real one waits */
      blocks[k].is_live = 0;
      used[blocks[k].device] -= blocks[k].n;
      return end(OK);
    }
  return end(INVALID);
}
Result cuMemHostAlloc(void **out, size_t n, unsigned flags) {
  BEGIN(1);
  NOT_CAPTURED(NULL);
  REFUSE(!n || npinned == MOST, INVALID);
  *out = pinned[npinned].at = aligned_alloc(512, (n + 511) / 512 * 512);
  pinned[npinned++].n = n;
  return end(OK);
}
Result cuMemFreeHost(void *a) {
  BEGIN(1);
  for (int k = 0; k < npinned; k++)
    if (pinned[k].at == a) { pinned[k].at = NULL; free(a); return end(OK); }
  return end(INVALID);
}
static Result move(Address to, Address from, size_t n, void *s) {
  Op *op = push(s, COPY);
  op->to = to, op->from = from, op->n = n;
  return end(OK);
}
/* From pageable memory: the bytes are taken now, and written when the queue runs (never freed). */
Result cuMemcpyHtoD_v2(Address to, const void *from, size_t n) {
  BEGIN(1);
  NOT_CAPTURED(NULL);
  return move(to, (Address)memcpy(malloc(n + 1), from, n), n, NULL);
}
Result cuMemcpyDtoH_v2(void *to, Address from, size_t n) {
  BEGIN(1);
  NOT_CAPTURED(NULL);
  pthread_mutex_lock(&lock);
  move((Address)to, from, n, NULL);
  drain(stream_of(NULL));
  return end(lost);
}
Result cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t n, void *s) {
  BEGIN(1);
  REFUSE(!is_pinned(from, n), INVALID);
  return move(to, (Address)from, n, s);
}
Result cuMemcpyDtoHAsync_v2(void *to, Address from, size_t n, void *s) {
  BEGIN(1);
  REFUSE(!is_pinned(to, n), INVALID);
  return move((Address)to, from, n, s);
}
Result cuMemcpyDtoDAsync_v2(Address to, Address from, size_t n, void *s) { BEGIN(1); return move(to, from, n, s); }
static Result set(Address to, int value, size_t n, int width, void *s) {
  Op *op = push(s, FILL);
  op->to = to, op->value = value, op->n = n, op->width = width;
  return end(OK);
}
Result cuMemsetD8Async(Address to, unsigned char value, size_t n, void *s) { BEGIN(1); return set(to, value, n, 1, s); }
Result cuMemsetD16Async(Address to, unsigned short value, size_t n, void *s) {
  BEGIN(1);
  REFUSE(to % 2, INVALID);
  return set(to, value, n, 2, s);
}
/* --- modules and launches --- */
Result cuModuleLoadData(void **out, const void *image) {
  BEGIN(1);
  NOT_CAPTURED(NULL);
  const char *at = strstr(image, ".version ");
  REFUSE(!at, BAD_IMAGE);
  int major = 0, minor = 0;
  sscanf(at, ".version %d.%d", &major, &minor);
  REFUSE(major * 1000 > version, UNSUPPORTED_PTX);
  *out = strdup(image);
  return end(OK);
}
Result cuModuleUnload(void *module) { BEGIN(1); free(module); return end(OK); }
static int parameters_of(const char *entry) {
  int n = 0;
  for (const char *c = entry; *c && *c != ')'; c++)
    if (!strncmp(c, ".param", 6)) n++;
  return n;
}
Result cuModuleGetFunction(Function **out, const char *module, const char *name) {
  BEGIN(1);
  char entry[256];
  snprintf(entry, sizeof entry, ".entry %s(", name);
  const char *at = strstr(module, entry);
  REFUSE(!at, NOT_FOUND);
  Function *f = calloc(1, sizeof *f);
  snprintf(f->name, sizeof f->name, "%s", name);
  f->parameters = parameters_of(at);
  for (int k = 0; k < nregistered; k++)
    if (!strcmp(registered[k].name, name)) {
      REFUSE(registered[k].parameters != f->parameters, INVALID);
      *f = registered[k];
    }
  REFUSE(!f->code && !record, NOT_FOUND);
  *out = f;
  return end(OK);
}
Result cuLaunchKernel(Function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                      unsigned bz, unsigned shared, void *s, void **parameters, void **extra) {
  BEGIN(1);
  REFUSE(!gx || !gy || !gz || !bx || !by || !bz || bx * by * bz > 1024 || gx > 2147483647u, INVALID);
  REFUSE(f->threads && (int)bx != f->threads, INVALID);
  Op *op = push(s, LAUNCH);
  op->function = f, op->grid = gx, op->words = malloc(8 * f->parameters + 8);
  for (int k = 0; k < f->parameters; k++) op->words[k] = *(int64_t *)parameters[k];
  return end(OK);
}
/* --- streams, captures, graphs --- */
Result cuStreamCreate(void **out, unsigned flags) {
  BEGIN(1);
  REFUSE(nstreams == 1024, NO_MEMORY);
  streams[nstreams].device = device();
  *out = &streams[nstreams++];
  return end(OK);
}
Result cuStreamDestroy_v2(void *s) { BEGIN(1); drain(s); return end(OK); }
Result cuStreamSynchronize(void *s) {
  BEGIN(1);
  if (stream_of(s)->capture) { spoil(stream_of(s)); return end(CAPTURE_UNSUPPORTED); }
  drain(stream_of(s));
  return end(lost);
}
Result cuStreamQuery(void *s) { BEGIN(1); return end(stream_of(s)->queue.n ? NOT_READY : OK); }
Result cuStreamBeginCapture_v2(void *s, int mode) {
  BEGIN(1);
  REFUSE(!s || stream_of(s)->capture, CAPTURE_UNSUPPORTED);
  stream_of(s)->capture = calloc(1, sizeof(Graph));
  capturing++;
  return end(OK);
}
Result cuStreamEndCapture(void *s, Graph **out) {
  *out = NULL;
  Result code = begin(__func__, 1);
  Graph *g = stream_of(s)->capture;
  if (!g) return end(code ? code : CAPTURE_WRONG);
  stream_of(s)->capture = NULL;
  capturing--;
  if (code || g->is_broken) return end(code ? code : CAPTURE_INVALIDATED);
  *out = g;
  return end(OK);
}
Result cuGraphInstantiateWithFlags(Graph **out, Graph *g, unsigned long long flags) {
  BEGIN(1);
  Graph *made = calloc(1, sizeof *made);
  made->ops = malloc((g->n + 1) * sizeof(Op));
  memcpy(made->ops, g->ops, g->n * sizeof(Op));
  made->n = g->n;
  *out = made;
  return end(OK);
}
Result cuGraphLaunch(Graph *g, void *s) {
  BEGIN(1);
  REFUSE(g->is_dead, BAD_HANDLE);
  push(s, GRAPH)->graph = g;
  return end(OK);
}
Result cuGraphDestroy(Graph *g) { BEGIN(0); return end(OK); }
Result cuGraphExecDestroy(Graph *g) { BEGIN(0); g->is_dead = 1; return end(OK); }
/* --- events --- */
Result cuEventCreate(Event **out, unsigned flags) { BEGIN(1); *out = calloc(1, sizeof(Event)); return end(OK); }
Result cuEventRecord(Event *e, void *s) {
  BEGIN(1);
  e->stream = stream_of(s);
  e->pending++;
  push(s, RECORD)->event = e;
  return end(OK);
}
Result cuEventQuery(Event *e) { BEGIN(1); return end(e->pending ? NOT_READY : OK); }
Result cuEventSynchronize(Event *e) { BEGIN(1); if (e->pending) drain(e->stream); return end(lost); }
Result cuStreamWaitEvent(void *s, Event *e, unsigned flags) { BEGIN(1); push(s, WAIT)->event = e; return end(OK); }
Result cuEventElapsedTime(float *out, Event *a, Event *b) {
  BEGIN(1);
  REFUSE(!a->when || !b->when, BAD_HANDLE);
  REFUSE(a->pending || b->pending, NOT_READY);
  *out = ((double)b->when - (double)a->when) / 1e6;
  return end(OK);
}
Result cuEventDestroy_v2(Event *e) { BEGIN(1); return end(OK); }
/* --- names of errors --- */
Result cuGetErrorName(Result code, const char **out) {
  static const struct { Result code; const char *name; } names[] = {
    {1, "CUDA_ERROR_INVALID_VALUE"}, {2, "CUDA_ERROR_OUT_OF_MEMORY"}, {3, "CUDA_ERROR_NOT_INITIALIZED"},
    {100, "CUDA_ERROR_NO_DEVICE"}, {101, "CUDA_ERROR_INVALID_DEVICE"}, {200, "CUDA_ERROR_INVALID_IMAGE"},
    {201, "CUDA_ERROR_INVALID_CONTEXT"}, {209, "CUDA_ERROR_NO_BINARY_FOR_GPU"}, {218, "CUDA_ERROR_INVALID_PTX"},
    {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"}, {400, "CUDA_ERROR_INVALID_HANDLE"}, {500, "CUDA_ERROR_NOT_FOUND"},
    {600, "CUDA_ERROR_NOT_READY"}, {700, "CUDA_ERROR_ILLEGAL_ADDRESS"}, {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"},
    {719, "CUDA_ERROR_LAUNCH_FAILED"}, {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
    {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"}, {902, "CUDA_ERROR_STREAM_CAPTURE_WRONG_MODE"}};
  for (unsigned k = 0; k < sizeof names / sizeof *names; k++)
    if (names[k].code == code) { *out = names[k].name; return OK; }
  *out = NULL;
  return INVALID;
}
