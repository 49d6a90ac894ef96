; Set-up, and the loop that waits for something to do.

main:
        mov     ax, FLAT_DATA
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     esp, STACK_TOP
        mov     edi, VARIABLES
        mov     ecx, (variables_end - VARIABLES + 3) / 4
        xor     eax, eax
        rep     stosd
        call    serial_start
        call    interrupts_start
        call    acpi_start
        call    window_start
        call    slots_at_start
        mov     byte [memory_event], 1  ; what came before the GPE was enabled
        call    events_enable
        say     "guest: ready slots="
        mov     eax, [slots]
        call    serial_decimal
        call    serial_newline

; An interrupt between the last look and HLT would be missed for long: STI lets none in before it.
.wait:
        cli
        cmp     byte [memory_event], 0
        jne     .memory
        cmp     byte [button_pressed], 0
        jne     .button
        mov     al, [typed_out]
        cmp     al, [typed_in]
        jne     .typed
        sti
        hlt
        jmp     .wait
.memory:
        mov     byte [memory_event], 0
        sti
        call    slots_scan
        jmp     .wait
.typed:
        sti
        call    command_byte
        jmp     .wait
.button:
        say     "guest: power button", 10
        jmp     power_off
