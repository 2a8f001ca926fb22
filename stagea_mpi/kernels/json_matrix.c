/* A square matrix in a JSON text of which two blocks are wanted: what is in neither is passed over, not parsed.

   A row ends with its bracket, which stops whatever reads numbers: so only what looks for a bracket has to mind the end
   of the text. */

#include "kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define BLOCK 64
#define MOST_DIGITS 19 /* of which an uint64_t has room for any */
#define LARGEST_POWER 22 /* of ten that a double has exactly */

static const double POWER[LARGEST_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *behind_blanks(const char *at, const char *stop)
{
    while (at < stop && is_blank(*at))
        at++;
    return at;
}

Status json_key(const char *text, ptrdiff_t n_bytes, ptrdiff_t from, const char *key, ptrdiff_t n_key,
                ptrdiff_t *behind, Checkpoint *checkpoint)
{
    const char *stop = text + n_bytes, *at = text + from, *quote;
    *behind = -1;
    while (at < stop && (quote = memchr(at, '"', (size_t)(stop - at)))) {
        if (is_interrupted(checkpoint, 4 + (quote - at) / 16))
            return INTERRUPTED;
        at = quote + 1;
        if (stop - at <= n_key || at[n_key] != '"' || memcmp(at, key, (size_t)n_key))
            continue;
        if (quote > text && quote[-1] == '\\')
            continue; /* within a string */
        const char *colon = behind_blanks(at + n_key + 1, stop);
        if (colon < stop && *colon == ':') {
            *behind = colon + 1 - text;
            break;
        }
    }
    return DONE;
}

Status json_matrix_end(const char *text, ptrdiff_t n_bytes, ptrdiff_t from, ptrdiff_t *behind, Checkpoint *checkpoint)
{
    const char *stop = text + n_bytes, *at = text + from, *bracket;
    *behind = -1;
    while (at < stop && (bracket = memchr(at, ']', (size_t)(stop - at)))) {
        if (is_interrupted(checkpoint, 4 + (bracket - at) / 16))
            return INTERRUPTED;
        at = behind_blanks(bracket + 1, stop);
        if (at < stop && *at == ']') {
            *behind = at + 1 - text;
            break;
        }
    }
    return DONE;
}

/* ---- A number -------------------------------------------------------------------------------------------------- */

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Any number of JSON, with null and Python's NaN, which both are NaN; its text's end, or NULL where it is none. Infinity
   and what a float has no room for is infinite. A digit behind the 19th does not count. */
static const char *any_number(const char *at, float *number)
{
    if (!strncmp(at, "null", 4) || !strncmp(at, "NaN", 3)) {
        *number = NAN;
        return at + (*at == 'n' ? 4 : 3);
    }
    bool is_negative = *at == '-';
    at += is_negative;
    if (!strncmp(at, "Infinity", 8)) {
        *number = INFINITY;
        return at + 8;
    }
    if (!is_digit(*at))
        return NULL;
    uint64_t digits = 0;
    long n_digits = 0, exponent = 0;
    for (; is_digit(*at); at++) {
        if (n_digits == MOST_DIGITS) {
            exponent += exponent < 1000;
        } else {
            digits = 10 * digits + (uint64_t)(*at - '0');
            n_digits += digits != 0;
        }
    }
    if (*at == '.') {
        if (!is_digit(*++at))
            return NULL;
        for (; is_digit(*at); at++)
            if (n_digits < MOST_DIGITS) {
                digits = 10 * digits + (uint64_t)(*at - '0');
                n_digits += digits != 0;
                exponent -= exponent > -1000;
            }
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        bool is_below = *at == '-';
        at += *at == '-' || *at == '+';
        if (!is_digit(*at))
            return NULL;
        long written = 0;
        for (; is_digit(*at); at++)
            written = written < 100000 ? 10 * written + (*at - '0') : written;
        exponent += is_below ? -written : written;
    }
    double value = (double)digits;
    for (long step; exponent > 0 && value > 0.0 && value <= FLT_MAX; exponent -= step) {
        step = exponent < LARGEST_POWER ? exponent : LARGEST_POWER;
        value *= POWER[step];
    }
    for (long step; exponent < 0 && value > 0.0; exponent += step) {
        step = -exponent < LARGEST_POWER ? -exponent : LARGEST_POWER;
        value /= POWER[step];
    }
    *number = value > FLT_MAX ? INFINITY : (float)(is_negative ? -value : value);
    return at;
}

#define USUAL 7 /* bytes of a usual number, with a blank before it and a comma behind it */

/* Numbers as most are, up to n of them that follow each other: one or two digits, a point, one or two digits, a comma.
   Ends before any other, and says how many there were. Whether it is one or two digits before the point no processor can
   foresee, so there is no branch on it. A quotient of whole numbers that a float has is the float nearest to it. */
static ptrdiff_t usual_numbers(const char **from, const char *stop, ptrdiff_t n, float *number)
{
    const char *at = *from;
    ptrdiff_t k = 0, gap = at < stop && *at == ' '; /* each has a blank before it, or none has */
    for (; k < n && stop - at >= USUAL; k++) {
        const char *begin = at + gap;
        unsigned is_short = begin[1] == '.';
        const char *point = begin + 2 - is_short;
        unsigned tens = (unsigned char)(begin[0] - '0'), ones = (unsigned char)(point[-1] - '0');
        unsigned tenths = (unsigned char)(point[1] - '0'), hundredths = (unsigned char)(point[2] - '0');
        if ((*point != '.') | (tens > 9) | (ones > 9) | (tenths > 9) | (gap & (*at != ' ')))
            break;
        unsigned value = ((100 * tens) & (is_short - 1u)) + 10 * ones + tenths;
        if (point[2] == ',') {
            number[k] = (float)value / 10.0f;
            at = point + 3;
        } else if (hundredths <= 9 && point[3] == ',') {
            number[k] = (float)(10 * value + hundredths) / 100.0f;
            at = point + 4;
        } else {
            break;
        }
    }
    *from = at;
    return k;
}

/* ---- A row ----------------------------------------------------------------------------------------------------- */

static inline ptrdiff_t commas_of_block(const char *at)
{
    unsigned char n = 0;
    for (int k = 0; k < BLOCK; k++)
        n += at[k] == ',';
    return n;
}

static ptrdiff_t commas_between(const char *at, const char *end)
{
    ptrdiff_t n = 0;
    for (; end - at >= BLOCK; at += BLOCK)
        n += commas_of_block(at);
    for (; at < end; at++)
        n += *at == ',';
    return n;
}

/* Behind the n-th comma; NULL where there are fewer. */
static const char *behind_commas(const char *at, const char *end, ptrdiff_t n)
{
    for (ptrdiff_t found; n && end - at >= BLOCK && (found = commas_of_block(at)) < n; at += BLOCK)
        n -= found;
    for (; n; n--) {
        at = memchr(at, ',', (size_t)(end - at));
        if (!at)
            return NULL;
        at++;
    }
    return at;
}

/* How many of some columns follow each other, from one on. */
static ptrdiff_t together(const int64_t *column, ptrdiff_t from, ptrdiff_t n_columns)
{
    ptrdiff_t to = from + 1;
    while (to < n_columns && column[to] == column[to - 1] + 1)
        to++;
    return to - from;
}

/* The numbers of some columns of a row, which ends with the bracket at `end` of a text that ends at `stop`; false with
   what is wrong. */
static bool read_row(const char *start, const char *end, const char *stop, ptrdiff_t n, const int64_t *column,
                     ptrdiff_t n_columns, float *number, JsonFault *fault)
{
    const char *at = start;
    ptrdiff_t next = 0; /* the column that begins at `at` */
    *fault = (JsonFault){WRONG_WIDTH, 0, NULL};
    for (ptrdiff_t k = 0; k < n_columns; k++) {
        if (column[k] > next && !(at = behind_commas(at, end, column[k] - next))) {
            fault->n = commas_between(start, end) + 1;
            return false;
        }
        ptrdiff_t n_usual = usual_numbers(&at, stop, together(column, k, n_columns), &number[k]);
        if (n_usual) {
            k += n_usual - 1;
            next = column[k] + 1;
            if (next == n) /* a comma behind the last number */
                at--;
            continue;
        }
        at = behind_blanks(at, end);
        const char *behind = any_number(at, &number[k]);
        if (!behind || isinf(number[k])) {
            *fault = (JsonFault){behind ? NOT_FINITE : NO_NUMBER, column[k], at};
            return false;
        }
        behind = behind_blanks(behind, end);
        if (*behind != ',' && behind != end) {
            *fault = (JsonFault){NO_NUMBER, column[k], at};
            return false;
        }
        next = column[k] + 1;
        if (behind == end && next < n) {
            fault->n = next;
            return false;
        }
        at = behind + (next < n);
    }
    ptrdiff_t found = commas_between(at, end) + next + (next < n);
    fault->n = found;
    return found == n;
}

/* ---- The matrix ------------------------------------------------------------------------------------------------ */

/* Rows of a side: those before `next` have been read. */
typedef struct {
    const int64_t *row;
    ptrdiff_t n, next;
    float *number;         /* of each row as many as the other side has columns */
} Side;

static Side side_from(const int64_t *of_row, ptrdiff_t n, float *number, ptrdiff_t row)
{
    Side side = {of_row, n, 0, number};
    while (side.next < n && of_row[side.next] < row)
        side.next++;
    return side;
}

static bool is_next(const Side *side, ptrdiff_t row)
{
    return side->next < side->n && side->row[side->next] == row;
}

typedef enum { READ, RAN_OUT, WRONG } Found;

/* The row that begins at `at`, with what is behind it: a comma or the matrix' bracket; before the first row stands the
   matrix' own. `at` moves behind these where it was read. */
static Found read_next(const char **from, const char *stop, ptrdiff_t row, ptrdiff_t n, Side *first, Side *second,
                       JsonFault *fault)
{
    const char *at = *from;
    for (int depth = row ? 1 : 0; depth < 2; depth++) {
        at = behind_blanks(at, stop);
        *fault = (JsonFault){NO_LIST, 0, at};
        if (at == stop)
            return RAN_OUT;
        if (*at++ != '[')
            return WRONG;
    }
    *fault = (JsonFault){NO_END, 0, stop};
    const char *end = memchr(at, ']', (size_t)(stop - at));
    const char *behind = end ? behind_blanks(end + 1, stop) : stop;
    if (behind == stop)
        return RAN_OUT;
    bool of_first = is_next(first, row), of_second = is_next(second, row);
    if (of_first && !read_row(at, end, stop, n, second->row, second->n, first->number + first->next * second->n, fault))
        return WRONG;
    if (of_second && !read_row(at, end, stop, n, first->row, first->n, second->number + second->next * first->n, fault))
        return WRONG;
    if (!of_first && !of_second && !read_row(at, end, stop, n, NULL, 0, NULL, fault))
        return WRONG;
    if (*behind != (row + 1 < n ? ',' : ']')) {
        *fault = (JsonFault){*behind == ',' || *behind == ']' ? WRONG_HEIGHT : NO_LIST, row + 1, behind};
        return WRONG;
    }
    first->next += of_first;
    second->next += of_second;
    *from = behind + 1;
    return READ;
}

Status json_matrix_blocks(const char *text, ptrdiff_t n_bytes, ptrdiff_t from, bool is_whole, ptrdiff_t n,
                          const int64_t *first, ptrdiff_t n_first, const int64_t *second, ptrdiff_t n_second,
                          float *forward, float *backward, ptrdiff_t *row, ptrdiff_t *behind, JsonFault *fault,
                          Checkpoint *checkpoint)
{
    const char *stop = text + n_bytes, *at = text + from;
    Side one = side_from(first, n_first, forward, *row), other = side_from(second, n_second, backward, *row);
    fault->kind = NO_FAULT;
    for (; *row < n; ++*row) {
        const char *begin = at;
        Found found = read_next(&at, stop, *row, n, &one, &other, fault);
        if (found != READ) {
            if (found == RAN_OUT && !is_whole)
                fault->kind = NO_FAULT;
            break;
        }
        fault->kind = NO_FAULT;
        if (is_interrupted(checkpoint, 1 + (at - begin) / 4))
            return INTERRUPTED;
    }
    *behind = at - text;
    return DONE;
}
