/* The Python module `compiled`: what is asked of arguments, and how a kernel is run.

   Arrays come through the buffer protocol, results go into arrays that the caller has made. So the module is built
   against Python's limited API alone, and one file serves every Python from 3.11 on and every NumPy. */

#include <Python.h>

#include <limits.h>
#include <math.h>
#include <string.h>

#include "kernels.h"

/* ---- Arrays ---------------------------------------------------------------------------------------------------- */

typedef enum { FLOAT64, FLOAT32, INT64, INT32, UINT8, BOOL } Kind;

static const char *const KIND_NAMES[] = {"float64", "float32", "int64", "int32", "uint8", "bool"};

typedef enum { READ, WRITE } Access;

#define MOST_ARRAYS 12

/* The arrays of one call, held until `release`. */
typedef struct {
    Py_buffer view[MOST_ARRAYS];
    int n;
} Arrays;

static void release(Arrays *arrays)
{
    while (arrays->n)
        PyBuffer_Release(&arrays->view[--arrays->n]);
}

/* Whether numbers are of a kind; the letters are those of Python's struct module, of this machine's byte order. */
static bool is_of_kind(const Py_buffer *view, Kind kind)
{
    const char *format = view->format ? view->format : "B";
    if (*format == '@' || *format == '=' || *format == (PY_LITTLE_ENDIAN ? '<' : '>'))
        format++;
    if (strlen(format) != 1)
        return false;
    switch (kind) {
    case FLOAT64:
        return *format == 'd' && view->itemsize == 8;
    case FLOAT32:
        return *format == 'f' && view->itemsize == 4;
    case INT64:
        return strchr("lqn", *format) && view->itemsize == 8;
    case INT32:
        return strchr("il", *format) && view->itemsize == 4;
    case UINT8:
        return *format == 'B' && view->itemsize == 1;
    default:
        return *format == '?' && view->itemsize == 1;
    }
}

/* Whether an array has some dimensions; -1 stands for any length. Else a ValueError that says so is set. */
static bool has_shape(const Py_buffer *view, const char *name, int n_axes, const Py_ssize_t *shape)
{
    bool fits = view->ndim == n_axes;
    for (int axis = 0; axis < n_axes && fits; axis++)
        fits = shape[axis] < 0 || view->shape[axis] == shape[axis];
    if (fits)
        return true;
    PyObject *found = PyTuple_New(view->ndim), *expected = PyTuple_New(n_axes);
    for (int axis = 0; found && axis < view->ndim; axis++)
        PyTuple_SetItem(found, axis, PyLong_FromSsize_t(view->shape[axis]));
    for (int axis = 0; expected && axis < n_axes; axis++)
        PyTuple_SetItem(expected, axis,
                        shape[axis] < 0 ? PyUnicode_FromString("any") : PyLong_FromSsize_t(shape[axis]));
    if (found && expected && !PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "%s has the shape %S, expected %S", name, found, expected);
    Py_XDECREF(found);
    Py_XDECREF(expected);
    return false;
}

/* The memory of an array of a kind and shape, in C order; NULL, with an error that names it, if it is none such. */
static const Py_buffer *take(Arrays *arrays, PyObject *from, const char *name, Kind kind, Access access, int n_axes,
                             const Py_ssize_t *shape)
{
    if (arrays->n == MOST_ARRAYS) {
        PyErr_Format(PyExc_SystemError, "%s is one array more than MOST_ARRAYS of module.c", name);
        return NULL;
    }
    Py_buffer *view = &arrays->view[arrays->n];
    if (PyObject_GetBuffer(from, view, PyBUF_FORMAT | PyBUF_STRIDES)) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "%s is a %S, expected an array of %s", name, (PyObject *)Py_TYPE(from),
                     KIND_NAMES[kind]);
        return NULL;
    }
    arrays->n++;
    if (!is_of_kind(view, kind)) {
        PyErr_Format(PyExc_TypeError, "%s has numbers of the format %s (%zd bytes), expected %s", name,
                     view->format ? view->format : "B", view->itemsize, KIND_NAMES[kind]);
        return NULL;
    }
    if (!has_shape(view, name, n_axes, shape))
        return NULL;
    if (!PyBuffer_IsContiguous(view, 'C')) {
        PyErr_Format(PyExc_ValueError, "%s is not contiguous in C order; hand over a copy of it", name);
        return NULL;
    }
    if (access == WRITE && view->readonly) {
        PyErr_Format(PyExc_ValueError, "%s is read-only, expected an array for results", name);
        return NULL;
    }
    if ((uintptr_t)view->buf % (uintptr_t)view->itemsize) {
        PyErr_Format(PyExc_ValueError, "%s is not aligned in memory; hand over a copy of it", name);
        return NULL;
    }
    return view;
}

/* An array with one axis, of n numbers; of any number of them for n = -1. */
static const Py_buffer *take_list(Arrays *arrays, PyObject *from, const char *name, Kind kind, Access access,
                                  Py_ssize_t n)
{
    return take(arrays, from, name, kind, access, 1, (Py_ssize_t[]){n});
}

/* An array of n rows, of any number of them for n = -1. */
static const Py_buffer *take_rows(Arrays *arrays, PyObject *from, const char *name, Kind kind, Access access,
                                  Py_ssize_t n, Py_ssize_t width)
{
    return take(arrays, from, name, kind, access, 2, (Py_ssize_t[]){n, width});
}

/* Numbers of float64, each finite. */
static bool are_finite(const Py_buffer *view, const char *name)
{
    const double *number = view->buf;
    for (Py_ssize_t i = 0; i < view->len / (Py_ssize_t)sizeof *number; i++)
        if (!isfinite(number[i])) {
            PyObject *found = PyFloat_FromDouble(number[i]);
            if (found)
                PyErr_Format(PyExc_ValueError, "%s has %R at place %zd, expected finite numbers", name, found, i);
            Py_XDECREF(found);
            return false;
        }
    return true;
}

/* Places, shape (any, 3), in Å. */
static const Py_buffer *take_places(Arrays *arrays, PyObject *from, const char *name)
{
    const Py_buffer *view = take_rows(arrays, from, name, FLOAT64, READ, -1, 3);
    return view && are_finite(view, name) ? view : NULL;
}

/* Whether a number is finite and not below zero; else an error is set. */
static bool take_length(PyObject *from, const char *name, double *length)
{
    *length = PyFloat_AsDouble(from);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "%s is %R, expected a number", name, from);
        return false;
    }
    if (!isfinite(*length) || *length < 0.0) {
        PyErr_Format(PyExc_ValueError, "%s is %R, expected a finite number that is not below 0", name, from);
        return false;
    }
    return true;
}

/* Indices of `n` things, shape (any,) or (any, 2), which have been taken as int64. */
static bool are_indices(const Py_buffer *view, const char *name, Py_ssize_t n)
{
    const int64_t *index = view->buf;
    for (Py_ssize_t i = 0; i < view->len / (Py_ssize_t)sizeof *index; i++)
        if (index[i] < 0 || index[i] >= n) {
            PyErr_Format(PyExc_ValueError, "%s has %lld at place %zd, expected indices from 0 to below %zd", name,
                         (long long)index[i], i, n);
            return false;
        }
    return true;
}

/* A whole number between bounds. */
static bool take_count(PyObject *from, const char *name, long least, long most, long *count)
{
    *count = PyLong_AsLong(from);
    if (PyErr_Occurred() || *count < least || *count > most) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s is %R, expected a whole number from %ld to %ld", name, from, least, most);
        return false;
    }
    return true;
}

static bool has_arguments(const char *function, Py_ssize_t n, Py_ssize_t expected)
{
    if (n != expected)
        PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, %zd were given", function, expected, n);
    return n == expected;
}

/* ---- Running a kernel ------------------------------------------------------------------------------------------ */

typedef struct {
    PyObject *instruction; /* the compiled expression None */
    PyObject *names;       /* in which it is run */
} ModuleState;

/* A call of a kernel, which runs without Python's lock. */
typedef struct {
    Checkpoint checkpoint; /* first, so that a pointer to it is one to all of this */
    ModuleState *state;
    PyThreadState *thread;
} Run;

/* Lets Python raise what is due: a signal's handler runs on the main thread; on any other an error that was sent to it
   (`mpi.guard.time_limit`) comes up with the next Python instruction, so one is run. */
static bool look_at_python(Checkpoint *checkpoint)
{
    Run *run = (Run *)checkpoint;
    PyEval_RestoreThread(run->thread);
    PyObject *none = NULL;
    if (!PyErr_CheckSignals())
        none = PyEval_EvalCode(run->state->instruction, run->state->names, run->state->names);
    Py_XDECREF(none);
    run->thread = PyEval_SaveThread();
    return none;
}

static Run start(PyObject *module)
{
    return (Run){{look_at_python, 0}, PyModule_GetState(module), PyEval_SaveThread()};
}

/* Takes the lock back; false, with an error set, when the kernel has not come to its end. */
static bool finish(Run *run, Status status)
{
    PyEval_RestoreThread(run->thread);
    if (status == NO_MEMORY)
        PyErr_NoMemory();
    return status == DONE;
}

/* ---- Neighbours ------------------------------------------------------------------------------------------------ */

/* Where pairs go: `pairs`, int64, shape (k, 2), and `distance`, float64, shape (k,). */
static bool take_pair_list(Arrays *arrays, PyObject *pairs, PyObject *distance, PairList *list)
{
    const Py_buffer *rows = take_rows(arrays, pairs, "pairs", INT64, WRITE, -1, 2);
    const Py_buffer *lengths = rows ? take_list(arrays, distance, "distance", FLOAT64, WRITE, rows->shape[0]) : NULL;
    if (lengths)
        *list = (PairList){rows->buf, lengths->buf, rows->shape[0], 0};
    return lengths;
}

PyDoc_STRVAR(pairs_between_doc,
             "pairs_between(xyz_a, xyz_b, cutoff, pairs, distance, /)\n--\n\n"
             "Writes the pairs of points of two sets with a distance up to a cutoff, ascending in the first index, then\n"
             "in the second, as far as `pairs` and `distance` have room. Returns how many there are.");

static PyObject *call_pairs_between(PyObject *module, PyObject *const *argument, Py_ssize_t n_arguments)
{
    Arrays arrays = {.n = 0};
    const Py_buffer *a, *b;
    double cutoff;
    PairList found;
    PyObject *result = NULL;
    if (has_arguments("pairs_between", n_arguments, 5) && (a = take_places(&arrays, argument[0], "xyz_a")) &&
        (b = take_places(&arrays, argument[1], "xyz_b")) && take_length(argument[2], "cutoff", &cutoff) &&
        take_pair_list(&arrays, argument[3], argument[4], &found)) {
        Run run = start(module);
        if (finish(&run, pairs_between(a->buf, a->shape[0], b->buf, b->shape[0], cutoff, &found, &run.checkpoint)))
            result = PyLong_FromSsize_t(found.n);
    }
    release(&arrays);
    return result;
}

PyDoc_STRVAR(pairs_within_doc,
             "pairs_within(xyz, label, cutoff, pairs, distance, /)\n--\n\n"
             "The same of the points of one set that have one label (int64) and are closer than a cutoff, the lower\n"
             "index first.");

static PyObject *call_pairs_within(PyObject *module, PyObject *const *argument, Py_ssize_t n_arguments)
{
    Arrays arrays = {.n = 0};
    const Py_buffer *xyz, *label;
    double cutoff;
    PairList found;
    PyObject *result = NULL;
    if (has_arguments("pairs_within", n_arguments, 5) && (xyz = take_places(&arrays, argument[0], "xyz")) &&
        (label = take_list(&arrays, argument[1], "label", INT64, READ, xyz->shape[0])) &&
        take_length(argument[2], "cutoff", &cutoff) && take_pair_list(&arrays, argument[3], argument[4], &found)) {
        Run run = start(module);
        if (finish(&run, pairs_within(xyz->buf, label->buf, xyz->shape[0], cutoff, &found, &run.checkpoint)))
            result = PyLong_FromSsize_t(found.n);
    }
    release(&arrays);
    return result;
}

PyDoc_STRVAR(count_between_doc,
             "count_between(xyz_a, xyz_b, cutoff, /)\n--\n\n"
             "How many pairs of points of two sets have a squared distance up to the square of a cutoff.");

static PyObject *call_count_between(PyObject *module, PyObject *const *argument, Py_ssize_t n_arguments)
{
    Arrays arrays = {.n = 0};
    const Py_buffer *a, *b;
    double cutoff;
    int64_t count;
    PyObject *result = NULL;
    if (has_arguments("count_between", n_arguments, 3) && (a = take_places(&arrays, argument[0], "xyz_a")) &&
        (b = take_places(&arrays, argument[1], "xyz_b")) && take_length(argument[2], "cutoff", &cutoff)) {
        Run run = start(module);
        if (finish(&run, count_between(a->buf, a->shape[0], b->buf, b->shape[0], cutoff, &count, &run.checkpoint)))
            result = PyLong_FromLongLong(count);
    }
    release(&arrays);
    return result;
}

PyDoc_STRVAR(within_reach_doc,
             "within_reach(xyz, of, reach, inside, /)\n--\n\n"
             "Writes into `inside` (bool) for each point of `xyz` whether a point of `of` is no further from it than\n"
             "`reach`.");

static PyObject *call_within_reach(PyObject *module, PyObject *const *argument, Py_ssize_t n_arguments)
{
    Arrays arrays = {.n = 0};
    const Py_buffer *xyz, *of, *inside;
    double reach;
    PyObject *result = NULL;
    if (has_arguments("within_reach", n_arguments, 4) && (xyz = take_places(&arrays, argument[0], "xyz")) &&
        (of = take_places(&arrays, argument[1], "of")) && take_length(argument[2], "reach", &reach) &&
        (inside = take_list(&arrays, argument[3], "inside", BOOL, WRITE, xyz->shape[0]))) {
        Run run = start(module);
        if (finish(&run, within_reach(xyz->buf, xyz->shape[0], of->buf, of->shape[0], reach, inside->buf,
                                      &run.checkpoint)))
            result = Py_NewRef(Py_None);
    }
    release(&arrays);
    return result;
}

/* ---- Surfaces -------------------------------------------------------------------------------------------------- */

#define MOST_SLICES 1000

/* Radii, float64, shape (n,), none below zero. */
static const Py_buffer *take_radii(Arrays *arrays, PyObject *from, Py_ssize_t n)
{
    const Py_buffer *view = take_list(arrays, from, "radii", FLOAT64, READ, n);
    if (!view || !are_finite(view, "radii"))
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++)
        if (((const double *)view->buf)[i] < 0.0) {
            PyErr_Format(PyExc_ValueError, "radii has a number below 0 at place %zd, expected none", i);
            return NULL;
        }
    return view;
}

PyDoc_STRVAR(contact_areas_doc,
             "contact_areas(xyz, radii, pairs, area, /)\n--\n\n"
             "Writes into `area` the contact areas (Å²) of pairs (int64, shape (k, 2)) of balls in their Voronoi diagram,\n"
             "constrained by a probe of 1.4 Å, as Voronota computes them.");

static PyObject *call_contact_areas(PyObject *module, PyObject *const *argument, Py_ssize_t n_arguments)
{
    Arrays arrays = {.n = 0};
    const Py_buffer *xyz, *radii, *pairs, *area;
    PyObject *result = NULL;
    if (has_arguments("contact_areas", n_arguments, 4) && (xyz = take_places(&arrays, argument[0], "xyz")) &&
        (radii = take_radii(&arrays, argument[1], xyz->shape[0])) &&
        (pairs = take_rows(&arrays, argument[2], "pairs", INT64, READ, -1, 2)) &&
        are_indices(pairs, "pairs", xyz->shape[0]) &&
        (area = take_list(&arrays, argument[3], "area", FLOAT64, WRITE, pairs->shape[0]))) {
        if (xyz->shape[0] > INT32_MAX / 2) {
            PyErr_Format(PyExc_ValueError, "xyz has %zd places, expected at most %d", xyz->shape[0], INT32_MAX / 2);
        } else {
            Run run = start(module);
            if (finish(&run, contact_areas(xyz->buf, radii->buf, xyz->shape[0], pairs->buf, pairs->shape[0], area->buf,
                                           &run.checkpoint)))
                result = Py_NewRef(Py_None);
        }
    }
    release(&arrays);
    return result;
}

PyDoc_STRVAR(lee_richards_doc,
             "lee_richards(xyz, radii, of, probe, n_slices, area, /)\n--\n\n"
             "Writes into `area` the solvent-accessible areas (Å²) of the spheres with the indices `of`, by Lee and\n"
             "Richards' slices.");

static PyObject *call_lee_richards(PyObject *module, PyObject *const *argument, Py_ssize_t n_arguments)
{
    Arrays arrays = {.n = 0};
    const Py_buffer *xyz, *radii, *of, *area;
    double probe;
    long n_slices;
    PyObject *result = NULL;
    if (has_arguments("lee_richards", n_arguments, 6) && (xyz = take_places(&arrays, argument[0], "xyz")) &&
        (radii = take_radii(&arrays, argument[1], xyz->shape[0])) &&
        (of = take_list(&arrays, argument[2], "of", INT64, READ, -1)) && are_indices(of, "of", xyz->shape[0]) &&
        take_length(argument[3], "probe", &probe) && take_count(argument[4], "n_slices", 1, MOST_SLICES, &n_slices) &&
        (area = take_list(&arrays, argument[5], "area", FLOAT64, WRITE, of->shape[0]))) {
        Run run = start(module);
        if (finish(&run, lee_richards(xyz->buf, radii->buf, xyz->shape[0], of->buf, of->shape[0], probe, (int)n_slices,
                                      area->buf, &run.checkpoint)))
            result = Py_NewRef(Py_None);
    }
    release(&arrays);
    return result;
}

/* ---- Graphs ---------------------------------------------------------------------------------------------------- */

PyDoc_STRVAR(markov_clusters_doc,
             "markov_clusters(edges, labels, /)\n--\n\n"
             "Writes into `labels` (int32) the Markov cluster of each node of the undirected graph with these edges\n"
             "(int64, shape (e, 2)).");

static PyObject *call_markov_clusters(PyObject *module, PyObject *const *argument, Py_ssize_t n_arguments)
{
    Arrays arrays = {.n = 0};
    const Py_buffer *edges, *labels;
    PyObject *result = NULL;
    if (has_arguments("markov_clusters", n_arguments, 2) &&
        (edges = take_rows(&arrays, argument[0], "edges", INT64, READ, -1, 2)) &&
        (labels = take_list(&arrays, argument[1], "labels", INT32, WRITE, -1)) &&
        are_indices(edges, "edges", labels->shape[0])) {
        if (labels->shape[0] >= INT32_MAX) {
            PyErr_Format(PyExc_ValueError, "labels has %zd nodes, expected less than %d", labels->shape[0], INT32_MAX);
        } else {
            Run run = start(module);
            if (finish(&run, markov_clusters(labels->shape[0], edges->buf, edges->shape[0], labels->buf,
                                             &run.checkpoint)))
                result = Py_NewRef(Py_None);
        }
    }
    release(&arrays);
    return result;
}

/* ---- Scores ---------------------------------------------------------------------------------------------------- */

PyDoc_STRVAR(aligned_errors_doc,
             "aligned_errors(pae, chain, other, ipsae, lis, /)\n--\n\n"
             "Writes into `ipsae` and `lis` (float64, shape (a, b)) the scores of each pair of chains in one direction: of\n"
             "errors (float32, Å, shape (n, m)), the chain of each row's residue, which is aligned, from 0 to below a, and\n"
             "of each column's, from 0 to below b (int64).");

static PyObject *call_aligned_errors(PyObject *module, PyObject *const *argument, Py_ssize_t n_arguments)
{
    Arrays arrays = {.n = 0};
    const Py_buffer *pae, *chain, *other, *ipsae, *lis;
    PyObject *result = NULL;
    if (has_arguments("aligned_errors", n_arguments, 5) &&
        (chain = take_list(&arrays, argument[1], "chain", INT64, READ, -1)) &&
        (other = take_list(&arrays, argument[2], "other", INT64, READ, -1)) &&
        (pae = take_rows(&arrays, argument[0], "pae", FLOAT32, READ, chain->shape[0], other->shape[0])) &&
        (ipsae = take_rows(&arrays, argument[3], "ipsae", FLOAT64, WRITE, -1, -1)) &&
        (lis = take_rows(&arrays, argument[4], "lis", FLOAT64, WRITE, ipsae->shape[0], ipsae->shape[1])) &&
        are_indices(chain, "chain", ipsae->shape[0]) && are_indices(other, "other", ipsae->shape[1])) {
        Run run = start(module);
        if (finish(&run, aligned_errors(pae->buf, chain->shape[0], other->shape[0], chain->buf, other->buf,
                                        ipsae->shape[0], ipsae->shape[1], ipsae->buf, lis->buf, &run.checkpoint)))
            result = Py_NewRef(Py_None);
    }
    release(&arrays);
    return result;
}

/* ---- Texts ----------------------------------------------------------------------------------------------------- */

/* Indices of rows or columns, int64, shape (any,), which ascend. */
static const Py_buffer *take_ascending(Arrays *arrays, PyObject *from, const char *name, Py_ssize_t n)
{
    const Py_buffer *view = take_list(arrays, from, name, INT64, READ, -1);
    if (!view || !are_indices(view, name, n))
        return NULL;
    const int64_t *index = view->buf;
    for (Py_ssize_t i = 1; i < view->shape[0]; i++)
        if (index[i] <= index[i - 1]) {
            PyErr_Format(PyExc_ValueError, "%s has %lld behind %lld, expected indices that ascend", name,
                         (long long)index[i], (long long)index[i - 1]);
            return NULL;
        }
    return view;
}


PyDoc_STRVAR(json_key_doc,
             "json_key(text, key, start, /)\n--\n\n"
             "The byte of a JSON text (bytes) behind the colon of the first key of a name (bytes) from a byte on; -1 where\n"
             "there is none.");

static PyObject *call_json_key(PyObject *module, PyObject *const *argument, Py_ssize_t n_arguments)
{
    Arrays arrays = {.n = 0};
    const Py_buffer *text, *key;
    long from;
    PyObject *result = NULL;
    if (has_arguments("json_key", n_arguments, 3) && (text = take_list(&arrays, argument[0], "text", UINT8, READ, -1)) &&
        (key = take_list(&arrays, argument[1], "key", UINT8, READ, -1)) &&
        take_count(argument[2], "start", 0, (long)text->len, &from)) {
        ptrdiff_t behind;
        Run run = start(module);
        if (finish(&run, json_key(text->buf, text->len, from, key->buf, key->len, &behind, &run.checkpoint)))
            result = PyLong_FromSsize_t(behind);
    }
    release(&arrays);
    return result;
}

PyDoc_STRVAR(cif_rows_doc,
             "cif_rows(text, start, n_columns, wanted, number, rest, /)\n--\n\n"
             "Reads the rows of a table of so many columns from a byte of a CIF text (bytes) on. Writes the decimal numbers\n"
             "of the columns `wanted` (int64, ascending) into `number` (float64, shape (most, w)), and all other words into\n"
             "`rest` (uint8, of as many as there are bytes from there, and one), with a blank behind each. Gives how many\n"
             "rows and bytes these are, and the byte where the table ends; -1 rows where a row is not on a line of its own,\n"
             "a value may be in quotes with a blank in it, a number is no decimal of up to 15 digits, or rows are too many.");

static PyObject *call_cif_rows(PyObject *module, PyObject *const *argument, Py_ssize_t n_arguments)
{
    Arrays arrays = {.n = 0};
    const Py_buffer *text, *wanted, *number, *rest;
    long from, n_columns;
    PyObject *result = NULL;
    if (has_arguments("cif_rows", n_arguments, 6) &&
        (text = take_list(&arrays, argument[0], "text", UINT8, READ, -1)) &&
        take_count(argument[1], "start", 0, (long)text->len, &from) &&
        take_count(argument[2], "n_columns", 1, INT32_MAX, &n_columns) &&
        (wanted = take_ascending(&arrays, argument[3], "wanted", n_columns)) &&
        (number = take_rows(&arrays, argument[4], "number", FLOAT64, WRITE, -1, wanted->shape[0])) &&
        (rest = take_list(&arrays, argument[5], "rest", UINT8, WRITE, text->len - from + 1))) {
        ptrdiff_t n_rows, n_rest = 0, behind = from;
        Run run = start(module);
        if (finish(&run, cif_rows(text->buf, text->len, from, n_columns, wanted->buf, wanted->shape[0], number->shape[0],
                                  number->buf, rest->buf, &n_rows, &n_rest, &behind, &run.checkpoint)))
            result = Py_BuildValue("nnn", n_rows, n_rest, behind);
    }
    release(&arrays);
    return result;
}

PyDoc_STRVAR(cif_outline_doc,
             "cif_outline(text, outline, /)\n--\n\n"
             "Writes a text (bytes) with a 0 for each number in it and a blank for several into `outline` (uint8, as long\n"
             "as the text); gives its length.");

static PyObject *call_cif_outline(PyObject *module, PyObject *const *argument, Py_ssize_t n_arguments)
{
    Arrays arrays = {.n = 0};
    const Py_buffer *text, *outline;
    PyObject *result = NULL;
    if (has_arguments("cif_outline", n_arguments, 2) &&
        (text = take_list(&arrays, argument[0], "text", UINT8, READ, -1)) &&
        (outline = take_list(&arrays, argument[1], "outline", UINT8, WRITE, text->len))) {
        ptrdiff_t n;
        Run run = start(module);
        if (finish(&run, cif_outline(text->buf, text->len, outline->buf, &n, &run.checkpoint)))
            result = PyLong_FromSsize_t(n);
    }
    release(&arrays);
    return result;
}

PyDoc_STRVAR(json_matrix_end_doc,
             "json_matrix_end(text, start, /)\n--\n\n"
             "The byte of a JSON text (bytes) behind the two brackets that end a list of lists, from a byte within it on; -1\n"
             "where there are none.");

static PyObject *call_json_matrix_end(PyObject *module, PyObject *const *argument, Py_ssize_t n_arguments)
{
    Arrays arrays = {.n = 0};
    const Py_buffer *text;
    long from;
    PyObject *result = NULL;
    if (has_arguments("json_matrix_end", n_arguments, 2) &&
        (text = take_list(&arrays, argument[0], "text", UINT8, READ, -1)) &&
        take_count(argument[1], "start", 0, (long)text->len, &from)) {
        ptrdiff_t behind;
        Run run = start(module);
        if (finish(&run, json_matrix_end(text->buf, text->len, from, &behind, &run.checkpoint)))
            result = PyLong_FromSsize_t(behind);
    }
    release(&arrays);
    return result;
}

#define MOST_SHOWN 20

/* A ValueError of what a text has instead of a matrix of n rows and columns; rows and columns are counted from 1. */
static void set_fault(const char *text, Py_ssize_t n_bytes, Py_ssize_t n, Py_ssize_t row, JsonFault fault)
{
    if (fault.kind == WRONG_WIDTH) {
        PyErr_Format(PyExc_ValueError, "row %zd has %zd numbers, expected %zd", row + 1, fault.n, n);
    } else if (fault.kind == WRONG_HEIGHT) {
        PyErr_Format(PyExc_ValueError, "there are %zd rows%s, expected %zd", fault.n, fault.n < n ? "" : " and more", n);
    } else if (fault.kind == NO_END) {
        PyErr_Format(PyExc_ValueError, "the text ends in row %zd of %zd", row + 1, n);
    } else {
        Py_ssize_t n_left = text + n_bytes - fault.at;
        PyObject *found = PyBytes_FromStringAndSize(fault.at, n_left < MOST_SHOWN ? n_left : MOST_SHOWN);
        if (found && fault.kind == NO_LIST)
            PyErr_Format(PyExc_ValueError, "in row %zd stands %R, expected a list of lists of numbers", row + 1, found);
        else if (found)
            PyErr_Format(PyExc_ValueError, "in row %zd, column %zd, stands %R, expected a%s number", row + 1, fault.n + 1,
                         found, fault.kind == NOT_FINITE ? " finite" : "");
        Py_XDECREF(found);
    }
}

PyDoc_STRVAR(json_matrix_blocks_doc,
             "json_matrix_blocks(text, start, is_whole, row, n, first, second, forward, backward, /)\n--\n\n"
             "Of a matrix of n rows and columns in a JSON text (bytes) writes the numbers of the rows `first` in the\n"
             "columns `second` into `forward` (float32), and those of the rows `second` in the columns `first` into\n"
             "`backward`; null is NaN. The text may be a piece, where a row begins at a byte of it; before the first one is\n"
             "the matrix' bracket. Gives the row that comes next, n when all were there, and the byte where it begins.\n"
             "Raises ValueError, with what was found, where there is no such matrix, or where a text that is whole does\n"
             "not hold all of it; numbers of no block are counted, but not looked at.");

static PyObject *call_json_matrix_blocks(PyObject *module, PyObject *const *argument, Py_ssize_t n_arguments)
{
    Arrays arrays = {.n = 0};
    const Py_buffer *text, *first, *second, *forward, *backward;
    long from, is_whole, row, n;
    PyObject *result = NULL;
    if (has_arguments("json_matrix_blocks", n_arguments, 9) &&
        (text = take_list(&arrays, argument[0], "text", UINT8, READ, -1)) &&
        take_count(argument[1], "start", 0, (long)text->len, &from) &&
        take_count(argument[2], "is_whole", 0, 1, &is_whole) && take_count(argument[4], "n", 1, INT32_MAX, &n) &&
        take_count(argument[3], "row", 0, n, &row) && (first = take_ascending(&arrays, argument[5], "first", n)) &&
        (second = take_ascending(&arrays, argument[6], "second", n)) &&
        (forward = take_rows(&arrays, argument[7], "forward", FLOAT32, WRITE, first->shape[0], second->shape[0])) &&
        (backward = take_rows(&arrays, argument[8], "backward", FLOAT32, WRITE, second->shape[0], first->shape[0]))) {
        ptrdiff_t next = row, behind;
        JsonFault fault;
        Run run = start(module);
        if (finish(&run, json_matrix_blocks(text->buf, text->len, from, is_whole, n, first->buf, first->shape[0],
                                            second->buf, second->shape[0], forward->buf, backward->buf, &next, &behind,
                                            &fault, &run.checkpoint))) {
            if (fault.kind != NO_FAULT)
                set_fault(text->buf, text->len, n, next, fault);
            else
                result = Py_BuildValue("nn", next, behind);
        }
    }
    release(&arrays);
    return result;
}

/* ---- The module ------------------------------------------------------------------------------------------------ */

#define FUNCTION(name) {#name, (PyCFunction)(void (*)(void))call_##name, METH_FASTCALL, name##_doc}

static PyMethodDef functions[] = {
    FUNCTION(aligned_errors),
    FUNCTION(cif_outline),
    FUNCTION(cif_rows),
    FUNCTION(contact_areas),
    FUNCTION(count_between),
    FUNCTION(json_key),
    FUNCTION(json_matrix_blocks),
    FUNCTION(json_matrix_end),
    FUNCTION(lee_richards),
    FUNCTION(markov_clusters),
    FUNCTION(pairs_between),
    FUNCTION(pairs_within),
    FUNCTION(within_reach),
    {NULL, NULL, 0, NULL},
};

static int set_up(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    state->instruction = Py_CompileString("None", "<a compiled kernel of stagea_mpi>", Py_eval_input);
    state->names = PyDict_New();
    return state->instruction && state->names ? 0 : -1;
}

static int visit_state(PyObject *module, visitproc visit, void *arg)
{
    ModuleState *state = PyModule_GetState(module);
    Py_VISIT(state->instruction);
    Py_VISIT(state->names);
    return 0;
}

static int clear_state(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    Py_CLEAR(state->instruction);
    Py_CLEAR(state->names);
    return 0;
}

static void free_state(void *module)
{
    clear_state(module);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, set_up}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "compiled",
    .m_doc = "The package's kernels in C: arrays in, arrays out. See kernels.h for what they do.",
    .m_size = sizeof(ModuleState),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = visit_state,
    .m_clear = clear_state,
    .m_free = free_state,
};

PyMODINIT_FUNC PyInit_compiled(void);

PyMODINIT_FUNC PyInit_compiled(void)
{
    return PyModuleDef_Init(&definition);
}
