/* Points, balls, and the bisector of two balls. */

#ifndef STAGEA_MPI_GEOMETRY_H
#define STAGEA_MPI_GEOMETRY_H

#include <math.h>
#include <stddef.h>

/* Before loops over points: compiled for wide registers, too, where a processor has them. The numbers are the same: each
   operation is rounded as it is in narrow ones. Not under the sanitizers, which are not there yet when the choice is made. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define WIDE_TOO __attribute__((target_clones("avx2", "default")))
#else
#define WIDE_TOO
#endif

typedef struct {
    double x, y, z;
} Point;

typedef struct {
    Point centre;
    double radius;
} Ball;

static inline Point plus(Point p, Point q)
{
    return (Point){p.x + q.x, p.y + q.y, p.z + q.z};
}

static inline Point minus(Point p, Point q)
{
    return (Point){p.x - q.x, p.y - q.y, p.z - q.z};
}

static inline Point times(Point p, double k)
{
    return (Point){p.x * k, p.y * k, p.z * k};
}

static inline double dot(Point p, Point q)
{
    return p.x * q.x + p.y * q.y + p.z * q.z;
}

static inline Point cross(Point p, Point q)
{
    return (Point){p.y * q.z - p.z * q.y, p.z * q.x - p.x * q.z, p.x * q.y - p.y * q.x};
}

static inline double length(Point p)
{
    return sqrt(dot(p, p));
}

static inline Point unit(Point p)
{
    return times(p, 1 / length(p));
}

static inline double distance(Point p, Point q)
{
    return length(minus(p, q));
}

/* The points that are equally far from the surfaces of two balls: one sheet of a hyperboloid of revolution about the line
   through their centres, bent around the smaller ball; a plane where the radii are equal. With z along the axis from the
   middle and l the distance from the axis it is z = (r/2)√(1 + 4l²/(4d² - r²)). */
typedef struct {
    Point middle, axis; /* between the centres; from the larger ball towards the smaller one, of length 1 */
    double d, r;        /* half the distance of the centres; the difference of the radii */
    double four_d2, r2, two_r, spread, scale; /* 4d², r², 2r, 4d² - r², 16d² - 4r² */
} Bisector;

Bisector bisector_of(const Ball *one, const Ball *other);

/* Moves n points along the axis onto the bisector. */
void project_onto(const Bisector *bisector, ptrdiff_t n, double *restrict x, double *restrict y, double *restrict z);

/* How far from p towards q their segment meets the bisector; 0 where it does not. */
double meets_at(const Bisector *bisector, Point p, Point q);

#endif
