service UserService {
    binary getUser(1: i64 id, 2: i32 size)
}
