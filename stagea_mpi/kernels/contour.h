/* The outline of a contact of two balls: closed lines of points on their bisector. */

#ifndef STAGEA_MPI_CONTOUR_H
#define STAGEA_MPI_CONTOUR_H

#include "geometry.h"
#include "kernels.h"

/* The balls in contact, how finely their outline is drawn, and where it has to be. */
typedef struct {
    const Ball *a, *b;
    int32_t a_index;
    Bisector ab;
    double step;     /* Å between points */
    int projections; /* how often a point is moved to where three bisectors meet */
    Point around;    /* lines without a point in this ball are dropped */
    double within;
} Contact;

/* The points of a closed line, in order. What comes before a point lies along the ball `left`, what comes after it along
   `right`; along the probe's own circle that is a. */
typedef struct {
    double *x, *y, *z;
    double *depth; /* distance from the surface of a */
    int32_t *left, *right;
    ptrdiff_t n, room;
} Contour;

typedef struct {
    Contour *line;
    ptrdiff_t n, room;
} Contours;

/* The lines of an outline, and room for cutting them; all zero before the first one. */
typedef struct {
    Contours now, next;
    Contour cut, mended, new_points;
    ptrdiff_t *cut_point, *gap, *n_between;
    bool *is_out;
    ptrdiff_t room;
} Outline;

/* Begins with one line, a circle about the axis of a and b; moved onto their bisector if it is not there. */
Status begin_with_circle(Outline *outline, const Contact *contact, Point centre, double radius, bool is_on_bisector);

/* Takes away what is nearer to the surface of c than to a's. */
Status cut_outline(Outline *outline, const Contact *contact, const Ball *c, int32_t c_index);

/* Draws in points that have come to lie further than so much from the surface of a or b. */
void draw_in(Outline *outline, const Contact *contact, double furthest);

/* Å² inside the lines. */
double area_inside(const Outline *outline, const Contact *contact);

void free_outline(Outline *outline);

#endif
