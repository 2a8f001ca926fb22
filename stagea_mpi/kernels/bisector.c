/* The bisector of two balls. Each formula has its terms in the order in which Voronota (apollota's
   hyperboloid_between_two_spheres) adds them up: its areas are reproduced digit by digit. */

#include "geometry.h"

#include <stdbool.h>

Bisector bisector_of(const Ball *one, const Ball *other)
{
    const Ball *small = one->radius > other->radius ? other : one, *large = small == one ? other : one;
    Point half = times(minus(small->centre, large->centre), 0.5);
    Bisector b = {.middle = plus(large->centre, half), .axis = unit(half), .d = length(half)};
    b.r = large->radius - small->radius;
    b.r2 = b.r * b.r;
    b.four_d2 = 4 * b.d * b.d;
    b.two_r = 2 * b.r;
    b.spread = b.four_d2 - b.r2;
    b.scale = 16 * b.d * b.d - 4 * b.r2;
    return b;
}

WIDE_TOO static void project_onto_plane(const Bisector *plane, ptrdiff_t n, double *restrict x, double *restrict y,
                               double *restrict z)
{
    Point middle = plane->middle, axis = plane->axis;
    for (ptrdiff_t i = 0; i < n; i++) {
        double along = axis.x * (x[i] - middle.x) + axis.y * (y[i] - middle.y) + axis.z * (z[i] - middle.z);
        x[i] -= axis.x * along;
        y[i] -= axis.y * along;
        z[i] -= axis.z * along;
    }
}

WIDE_TOO void project_onto(const Bisector *bisector, ptrdiff_t n, double *restrict x, double *restrict y, double *restrict z)
{
    const Bisector b = *bisector;
    if (b.r == 0) {
        project_onto_plane(bisector, n, x, y, z);
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        double px = x[i] - b.middle.x, py = y[i] - b.middle.y, pz = z[i] - b.middle.z;
        double along = b.axis.x * px + b.axis.y * py + b.axis.z * pz;
        double l2 = (px * px + py * py + pz * pz) - along * along;
        l2 = l2 < 0 ? 0 : l2;
        double square = b.spread * (4 * l2 + b.four_d2 - b.r2);
        square = square < 0 ? 0 : square;
        double height = b.two_r * sqrt(square) / b.scale;
        x[i] = (x[i] - b.axis.x * along) + b.axis.x * height;
        y[i] = (y[i] - b.axis.y * along) + b.axis.y * height;
        z[i] = (z[i] - b.axis.z * along) + b.axis.z * height;
    }
}

/* Voronota's bounds: t lies between the ends of the segment, and the point there on the sheet. */
#define END_TOLERANCE 1e-10
#define SHEET_TOLERANCE 1e-6

double meets_at(const Bisector *bisector, Point p, Point q)
{
    /* In coordinates about the middle, z along the axis and p at y = 0, the sheet is z² = k(x² + y²) + m with z ≥ 0, and
       p + tv meets it where a quadratic equation in t has its roots. */
    const Bisector *b = bisector;
    Point to_p = minus(p, b->middle), to_q = minus(q, b->middle);
    double pz = dot(b->axis, to_p);
    Point outwards = unit(minus(minus(p, times(b->axis, pz)), b->middle));
    double px = dot(outwards, to_p), qx = dot(outwards, to_q), qz = dot(b->axis, to_q);
    double qy2 = dot(to_q, to_q) - qz * qz - qx * qx;
    Point step = {qx - px, sqrt(qy2 < 0 ? 0 : qy2), qz - pz}, v = unit(step);
    double k = 4 * b->r2 / (b->scale * b->scale) * b->spread * 4, m = b->spread * k / 4;
    double across = v.y * v.y + v.x * v.x, divisor = v.z * v.z - k * across;
    double root = sqrt(k * across * pz * pz - 2 * k * v.x * v.z * px * pz + (k * v.z * v.z - k * k * v.y * v.y) * px * px +
                       m * v.z * v.z - k * m * across);
    double centre = k * v.x * px - v.z * pz, roots[2] = {(centre + root) / divisor, (centre - root) / divisor};
    for (int i = 0; i < 2; i++) {
        double t = roots[i], x = px + v.x * t, y = v.y * t;
        double off = pz + v.z * t - sqrt(k * (x * x + y * y) + m);
        /* Both are false of a number that is none, as where p lies on the axis. */
        if (t - END_TOLERANCE > 0 && t + END_TOLERANCE < length(step) && fabs(off) <= SHEET_TOLERANCE)
            return t;
    }
    return 0;
}
