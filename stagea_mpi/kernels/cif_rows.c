/* Rows of a table in CIF, each on a line of its own: numbers of some columns, and all that stands in the others. */

#include "kernels.h"

#include <string.h>

#define MOST_DIGITS 15 /* that a double has exactly */

static const double POWER[MOST_DIGITS + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                              1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static inline bool ends_word(char c)
{
    return is_blank(c) || c == '\n';
}

/* Whether a word is a sign or none, digits, and a point or none among them: the number that it stands for then, which is
   the double that is nearest, since digits and the power of ten have doubles of their own. */
static bool decimal(const char *at, const char *end, double *number)
{
    bool is_negative = *at == '-', has_point = false;
    int64_t digits = 0;
    int n_digits = 0, n_decimals = 0;
    at += *at == '-' || *at == '+';
    for (; at < end; at++) {
        if (*at == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (*at < '0' || *at > '9' || n_digits == MOST_DIGITS)
            return false;
        digits = 10 * digits + (*at - '0');
        n_digits++;
        n_decimals += has_point;
    }
    double value = (double)digits / POWER[n_decimals];
    *number = is_negative ? -value : value;
    return n_digits > 0;
}

/* Whether a word begins with some small letters, itself in whichever case. */
static bool begins(const char *at, const char *end, const char *word)
{
    for (; *word; at++, word++)
        if (at == end || (*at >= 'A' && *at <= 'Z' ? *at | 0x20 : *at) != *word)
            return false;
    return true;
}

/* Whether a word ends the table: a name, or a word that begins something else. */
static bool is_behind(const char *at, const char *end)
{
    return *at == '_' || begins(at, end, "loop_") || begins(at, end, "data_") || begins(at, end, "save_");
}

/* Whether a word may be no value by itself: a comment, a text of several lines, a part of a text in quotes, or a word that
   is not allowed. */
static bool is_odd(const char *at, const char *end, bool is_first)
{
    if (*at == '#' || (*at == ';' && is_first) || begins(at, end, "stop_") || begins(at, end, "global_"))
        return true;
    return (*at == '\'' || *at == '"') && (end - at < 2 || end[-1] != *at);
}

Status cif_rows(const char *text, ptrdiff_t n_bytes, ptrdiff_t from, ptrdiff_t n_columns, const int64_t *wanted,
                ptrdiff_t n_wanted, ptrdiff_t most, double *number, char *rest, ptrdiff_t *n_rows, ptrdiff_t *n_rest,
                ptrdiff_t *behind, Checkpoint *checkpoint)
{
    const char *stop = text + n_bytes, *at = text + from;
    char *out = rest;
    *n_rows = -1;
    ptrdiff_t n = 0;
    while (at < stop) {
        const char *line = at, *newline = memchr(at, '\n', (size_t)(stop - at)), *line_end = newline ? newline : stop;
        ptrdiff_t column = 0, next = 0;
        while (at < line_end) {
            while (at < line_end && is_blank(*at))
                at++;
            if (at == line_end)
                break;
            const char *word = at;
            while (at < line_end && !ends_word(*at))
                at++;
            if (!column && *word == '#') { /* a line of its own */
                at = line_end;
                break;
            }
            if (!column && is_behind(word, at)) {
                *n_rows = n, *n_rest = out - rest, *behind = line - text;
                return DONE;
            }
            if (is_odd(word, at, word == line) || is_behind(word, at) || column == n_columns || n == most)
                return DONE;
            if (next < n_wanted && column == wanted[next]) {
                if (!decimal(word, at, &number[n * n_wanted + next++]))
                    return DONE;
            } else {
                memcpy(out, word, (size_t)(at - word));
                out += at - word;
                *out++ = ' ';
            }
            column++;
        }
        if (column && column != n_columns)
            return DONE;
        n += column > 0;
        at = newline ? newline + 1 : stop;
        if (is_interrupted(checkpoint, 1 + at - line))
            return INTERRUPTED;
    }
    *n_rows = n, *n_rest = out - rest, *behind = n_bytes;
    return DONE;
}

Status cif_outline(const char *text, ptrdiff_t n_bytes, char *outline, ptrdiff_t *n, Checkpoint *checkpoint)
{
    const char *stop = text + n_bytes;
    char *out = outline;
    for (const char *at = text; at < stop; at++) {
        bool is_part = (*at >= '0' && *at <= '9') || *at == '.' || *at == '-' || *at == '+';
        char c = is_part ? '0' : is_blank(*at) ? ' ' : *at;
        if ((c != '0' && c != ' ') || out == outline || out[-1] != c)
            *out++ = c;
    }
    *n = out - outline;
    return is_interrupted(checkpoint, 1 + n_bytes) ? INTERRUPTED : DONE;
}
