/**
 * What a gateway says of itself, on listeners with `fb303 = true`: a part of fb303, the interface by which Thrift services are watched.
 */
namespace py larder.fb303

/** How a service is. A gateway is ALIVE from the moment at which it listens, and STOPPING once it has been told to stop. */
enum Status {
  DEAD = 0
  STARTING = 1
  ALIVE = 2
  STOPPING = 3
  STOPPED = 4
  WARNING = 5
}

service FacebookService {
  /** `larder`. */
  string getName()
  /** The gateway's version. */
  string getVersion()
  Status getStatus()
  /** The status in words. */
  string getStatusDetails()
  /**
   * The calls of the listener by what became of them, in the words of `larder_calls_total`: `calls.hit_local` for all of its methods, and
   * `UserService.getUser.hit_local` for one.
   */
  map<string, i64> getCounters()
  /** One of them; 0 if there is none of that name. */
  i64 getCounter(1: string key)
  /** When the gateway was started, in seconds since 1970. */
  i64 aliveSince()
}
