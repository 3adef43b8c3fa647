/* An accelerator that works for a while and is then pulled out, as a TFLite delegate without hardware.
 *
 * It takes over the whole graph, as the EdgeTPU does, leaves the outputs as they are, and fails from the
 * invocation on that the environment names, or, with HANGS in it, never comes back from that one. Only the head of each of TFLite's C structures is declared
 * (tensorflow/lite/core/c/common.h, whose layout is stable): no header is needed to build it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct { int size; int data[]; } IntArray;
typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, void *);
  int (*invoke)(Context *, void *);
  const char *(*profiling_string)(const Context *, const void *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *external;
  void *async_kernel;
  uint64_t inplace_operator;
} Registration;

struct Context {
  size_t tensors_size;
  int (*get_execution_plan)(Context *, IntArray **);
  void *tensors;
  void *impl;
  void *resize_tensor;
  void (*report_error)(Context *, const char *, ...);
  void *add_tensors;
  void *get_node_and_registration;
  int (*replace_node_subsets)(Context *, Registration, const IntArray *, Delegate *);
};

struct Delegate {
  void *data;
  int (*prepare)(Context *, Delegate *);
  void *copy_from, *copy_to, *free_buffer;
  int64_t flags;
  void *opaque;
};

static int invocations_left;

static void *init(Context *context, const char *buffer, size_t length) { return NULL; }
static void destroy(Context *context, void *data) {}
static int prepare_node(Context *context, void *node) { return 0; }

static int invoke(Context *context, void *node) {
  if (invocations_left-- > 0) return 0;
  while (getenv("HANGS") != NULL) pause();
  context->report_error(context, "the accelerator does not answer");
  return 1;
}

static int prepare(Context *context, Delegate *delegate) {
  Registration registration = {init, destroy, prepare_node, invoke};
  registration.custom_name = "Vanishing";
  registration.version = 1;
  IntArray *plan;
  if (context->get_execution_plan(context, &plan)) return 1;
  return context->replace_node_subsets(context, registration, plan, delegate);
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
  const char *left = getenv("VANISHES_AFTER");
  if (left == NULL) {
    report("no accelerator is plugged in");
    return NULL;
  }
  invocations_left = atoi(left);
  Delegate *delegate = calloc(1, sizeof(Delegate));
  delegate->prepare = prepare;
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }
