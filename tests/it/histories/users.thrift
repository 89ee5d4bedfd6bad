/** People, read by methods that differ in what their rules say alone. */

struct User {
  1: i64 id,
  2: string name,
  3: string email,
}

service UserService {
  User getUser(1: i64 id),
  User findUser(1: i64 id),
  User recallUser(1: i64 id),
  void renameUser(1: i64 id, 2: string name),
}
