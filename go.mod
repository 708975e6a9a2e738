module github.com/lockstep-db/lockstep

go 1.26.0
