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

/* The same, fast for what most are: one or two digits, a point and a digit. */
static inline const char *number_at(const char *at, float *number)
{
    const char *point = at + 1;
    if (is_digit(*at)) {
        int tenths = *at - '0';
        if (is_digit(*point))
            tenths = 10 * tenths + (*point++ - '0');
        if (*point == '.' && is_digit(point[1]) && (point[2] == ',' || point[2] == ']')) {
            *number = (float)((10 * tenths + (point[1] - '0')) / 10.0);
            return point + 2;
        }
    }
    return any_number(at, number);
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

/* The numbers of some columns of a row, which ends with the bracket at `end`; false with what is wrong. */
static bool read_row(const char *start, const char *end, ptrdiff_t n, const int64_t *column, ptrdiff_t n_columns,
                     float *number, JsonFault *fault)
{
    const char *at = start;
    ptrdiff_t next = 0; /* the column that begins at `at` */
    *fault = (JsonFault){WRONG_WIDTH, 0, NULL};
    for (ptrdiff_t k = 0; k < n_columns; k++) {
        at = behind_commas(at, end, column[k] - next);
        if (!at) {
            fault->n = commas_between(start, end) + 1;
            return false;
        }
        at = behind_blanks(at, end);
        const char *behind = number_at(at, &number[k]);
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

Status json_matrix_blocks(const char *text, ptrdiff_t n_bytes, ptrdiff_t from, ptrdiff_t n, const int64_t *first,
                          ptrdiff_t n_first, const int64_t *second, ptrdiff_t n_second, float *forward,
                          float *backward, ptrdiff_t *row, JsonFault *fault, Checkpoint *checkpoint)
{
    const char *stop = text + n_bytes, *at = behind_blanks(text + from, stop);
    ptrdiff_t next_first = 0, next_second = 0;
    *row = 0;
    *fault = (JsonFault){NO_LIST, 0, at};
    if (at == stop || *at != '[')
        return DONE;
    at++;
    for (; *row < n; ++*row) {
        at = behind_blanks(at, stop);
        *fault = (JsonFault){NO_LIST, 0, at};
        if (at == stop || *at != '[')
            return DONE;
        at++;
        const char *end = memchr(at, ']', (size_t)(stop - at));
        *fault = (JsonFault){NO_END, 0, stop};
        if (!end)
            return DONE;
        bool of_first = next_first < n_first && first[next_first] == *row;
        bool of_second = next_second < n_second && second[next_second] == *row;
        if (of_first && !read_row(at, end, n, second, n_second, forward + next_first++ * n_second, fault))
            return DONE;
        if (of_second && !read_row(at, end, n, first, n_first, backward + next_second++ * n_first, fault))
            return DONE;
        if (!of_first && !of_second && !read_row(at, end, n, NULL, 0, NULL, fault))
            return DONE;
        if (is_interrupted(checkpoint, 1 + (end - at) / (of_first || of_second ? 1 : 16)))
            return INTERRUPTED;
        at = behind_blanks(end + 1, stop);
        *fault = (JsonFault){NO_END, 0, stop};
        if (at == stop)
            return DONE;
        if (*at != (*row + 1 < n ? ',' : ']')) {
            *fault = (JsonFault){*at == ',' || *at == ']' ? WRONG_HEIGHT : NO_LIST, *row + 1, at};
            return DONE;
        }
        at++;
    }
    fault->kind = NO_FAULT;
    return DONE;
}
