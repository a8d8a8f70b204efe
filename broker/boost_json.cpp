// Boost.JSON is used as headers; this is where its code is compiled.
#include <boost/json/src.hpp>
