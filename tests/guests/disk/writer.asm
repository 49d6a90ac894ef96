; A boot sector that writes its number into sector 1 and flushes the disk, again and again; after
; each flush it says the number. Straight to the drive: INT 13h has no flush.
        org 0x7c00
        bits 16
LOG     equ 0x402
BASE    equ 0x1f0

start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        cli
        mov dx, BASE + 0x206
        mov al, 2
        out dx, al              ; no interrupts
        xor ebx, ebx
again:  inc ebx
        mov al, 0x30
        call command
        call ready
        mov dx, BASE
        mov cx, 128
.word:  mov ax, bx
        out dx, ax
        ror ebx, 16
        mov ax, bx
        out dx, ax
        ror ebx, 16
        loop .word
        call ready
        mov al, 0xe7
        call command
        call ready
        mov cx, 4
        mov dx, LOG
.digit: rol bx, 4
        mov al, bl
        and al, 15
        add al, '0'
        cmp al, '9'
        jbe .put
        add al, 'a' - '9' - 1
.put:   out dx, al
        loop .digit
        mov al, 10
        out dx, al
        jmp again

command: push ax
        mov dx, BASE + 2
        mov al, 1
        out dx, al              ; one sector
        inc dx
        out dx, al              ; number 1
        inc dx
        xor al, al
        out dx, al
        inc dx
        out dx, al
        inc dx
        mov al, 0xe0
        out dx, al
        inc dx
        pop ax
        out dx, al
        ret

ready:  mov dx, BASE + 7
.wait:  in al, dx
        test al, 0x80
        jnz .wait
        ret
        times 510-($-$$) db 0
        dw 0xaa55
